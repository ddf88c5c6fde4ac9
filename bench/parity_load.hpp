// A load for `bench parity`: small transactions on blue at a steady rate, each timed. Its table is one of those that are
// compared. The threads end with it.
#pragma once

#include <atomic>
#include <mutex>
#include <thread>
#include <vector>

#include "bench/world.hpp"

namespace verdigris::bench {

// Before green is made.
void create_written_table(World& world);

class ParityLoad {
 public:
  // rate: transactions a second, of all clients together.
  ParityLoad(World& world, int clients, int rate);
  ~ParityLoad();
  // Since the last call, in milliseconds.
  std::vector<double> take_times();
  // Ends it.
  void stop();

 private:
  void write(World& world, int client, double seconds_between);

  std::atomic<bool> is_over_ = false;
  std::mutex mutex_;
  std::vector<double> times_;
  std::vector<std::thread> clients_;
};

}  // namespace verdigris::bench
