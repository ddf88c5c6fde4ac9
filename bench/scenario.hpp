// What is measured: the scenarios of `stall`, in the order in which they run. Plain values.
#pragma once

#include <string>
#include <vector>

namespace verdigris::bench {

struct Scenario {
  std::string dataset;
  int tables = 100;
  int cutovers = 30;  // of each contestant, half of them back
  int poolers = 1;
  int slow_percent = 0;  // of transactions that take 200 ms
  bool has_long_writer =
      false;  // a transaction of 5 s is open at any time, and the budget is 1 s (500 ms for PAUSE): to be put back
  bool has_tls = false;  // and SCRAM, from poolers and controllers to servers and from clients to poolers
};

std::vector<Scenario> stall_scenarios(bool is_quick);

inline constexpr int kBlueMajor = 15, kGreenMajor = 17;
inline constexpr int kRate = 400;  // transactions a second, all clients of one contestant together
inline constexpr int kClients = 16;

}  // namespace verdigris::bench
