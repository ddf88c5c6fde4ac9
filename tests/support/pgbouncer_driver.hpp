// Two PgBouncer processes in front of two servers, and clients that notice everything: for tests of the traffic driver.
#pragma once

#include <gtest/gtest.h>

#include <atomic>
#include <filesystem>
#include <string>
#include <thread>
#include <vector>

#include "controller/pgbouncer.hpp"
#include "controller/pgbouncer_console.hpp"
#include "tests/support/cluster.hpp"

namespace verdigris::test {

std::string read(const std::filesystem::path& file);
// In place, as an operator's editor might: owner and mode stay.
void write(const std::filesystem::path& file, const std::string& bytes);
// The first occurrence; a failure if there is none.
std::string replaced(std::string text, const std::string& from, const std::string& to);

// The id of what act throws, "accepted" if nothing.
template <class Act>
std::string error_of(Act act, std::string* text = nullptr) {
  try {
    act();
  } catch (const Error& error) {
    if (text != nullptr) *text = error.what();
    return error.id();
  }
  return "accepted";
}

// Clients that ask all the time which server answers, each through a session of its own. An error is a test failure.
class Clients {
 public:
  explicit Clients(const std::vector<Conninfo>& through);
  ~Clients() { stop(); }
  void stop();
  int errors() const { return errors_; }
  int answers(const std::string& server) const { return server == "green" ? green_ : blue_; }
  std::chrono::milliseconds longest() const { return std::chrono::milliseconds(longest_); }  // logins count
  bool wait_for(const std::string& server, int more) const;

 private:
  void run(const Conninfo& conninfo);
  void ask(Connection& session);
  void note_wait(Deadline::Clock::time_point began);

  std::atomic<bool> is_stopping_ = false;
  std::atomic<int> errors_ = 0, blue_ = 0, green_ = 0;
  std::atomic<std::int64_t> longest_ = 0;
  std::vector<std::thread> threads_;
};

// Poolers "a" and "b", database "shop", both on blue once start() was called.
class PgBouncerDriver : public testing::Test {
 protected:
  PgBouncerDriver();
  void start(const PoolerOptions& options = {});
  PoolerSettings settings(std::chrono::milliseconds pause_timeout = std::chrono::seconds(2)) const;
  Endpoint blue() const { return endpoint(pair_.blue()); }
  Endpoint green() const { return endpoint(pair_.green()); }
  std::vector<Conninfo> everywhere(int each) const;
  PgBouncerConsole console(std::size_t which) const;
  // What require_ready() says with blue as the serving side and a budget of 5 s.
  std::string refusal(const PoolerSettings& with, std::string* text = nullptr) const;
  // A client of pooler b, named "report", in the middle of a transaction.
  Connection open_transaction() const;

  Pair& pair_;
  std::vector<PgBouncerProcess> poolers_;

 private:
  static Endpoint endpoint(PostgresServer& server);
};

}  // namespace verdigris::test
