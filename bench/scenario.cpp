#include "bench/scenario.hpp"

namespace verdigris::bench {
namespace {

Scenario plain(int tables, int cutovers) {
  return {.dataset = std::to_string(tables) + " tables", .tables = tables, .cutovers = cutovers};
}

Scenario with(const std::string& what, Scenario scenario) {
  scenario.dataset += ", " + what;
  return scenario;
}

// At 100 tables: what makes a cutover hard besides their number.
std::vector<Scenario> hard_scenarios() {
  std::vector<Scenario> result(5, plain(100, 30));
  result[0].slow_percent = 5;
  result[0] = with("5 % transactions of 200 ms", result[0]);
  result[1].has_long_writer = true;
  result[1] = with("transactions of 5 s", result[1]);
  result[2].poolers = 2;
  result[2] = with("2 poolers", result[2]);
  result[3].poolers = 4;
  result[3] = with("4 poolers", result[3]);
  result[4].has_tls = true;
  result[4] = with("SCRAM and TLS", result[4]);
  return result;
}

}  // namespace

std::vector<Scenario> stall_scenarios(bool is_quick) {
  if (is_quick) return {plain(100, 10), plain(500, 10)};
  std::vector<Scenario> result{plain(4, 30), plain(100, 30), plain(500, 30), plain(5000, 30)};
  for (auto& scenario : hard_scenarios()) result.push_back(std::move(scenario));
  return result;
}

}  // namespace verdigris::bench
