// Who is open, read from the catalogs of both servers over and over (faults I2): the body of the fence function, and its
// trigger on every table and on every member of every partition tree. Asked in words of its own, not by the product's
// questions. A thread of its own, ended by the destructor; a session that was lost is made anew.
#pragma once

#include <array>
#include <atomic>
#include <chrono>
#include <mutex>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include "replication/connection.hpp"

namespace verdigris::test {

class Shop;

struct FenceReading {
  std::string side;
  std::chrono::steady_clock::time_point asked, answered;
  bool is_open = false;
};

// One side was open, then the other, and then the first one again, sooner than two crossings could have turned them: so
// both were. Three successive readings.
bool shows_both_open(const std::array<FenceReading, 3>& readings);

class CatalogProbe {
 public:
  explicit CatalogProbe(Shop& shop);
  ~CatalogProbe();
  // Since the last call: "", or how both sides were open, or that nobody has looked.
  std::string contradiction();

 private:
  void run();
  void read(std::size_t which);
  void note(FenceReading reading);

  const std::array<std::string, 2> sides_{"blue", "green"};
  std::array<Conninfo, 2> servers_;
  std::array<std::optional<Connection>, 2> sessions_;
  std::vector<FenceReading> last_;
  std::mutex mutex_;  // of the next two
  int readings_ = 0;
  std::string contradiction_;
  std::atomic<bool> is_over_ = false;
  std::thread thread_;
};

}  // namespace verdigris::test
