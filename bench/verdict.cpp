#include "bench/verdict.hpp"

#include <fmt/format.h>

#include <algorithm>

namespace verdigris::bench {

std::vector<std::string> broken_promises(const Scenario& scenario, const Tally& tally) {
  std::vector<std::string> broken;
  const auto none = [&](std::int64_t count, const char* what) {
    if (count != 0) broken.push_back(fmt::format("{}: {} {}", tally.contestant, count, what));
  };
  none(tally.errors, "errors of clients");
  none(tally.lost, "writes lost");
  none(tally.duplicated, "writes doubled");
  const auto made = std::ranges::count_if(tally.crossings, [](const auto& one) { return one.is_done; });
  const auto put_back = static_cast<std::int64_t>(tally.crossings.size()) - made;
  const auto reached = scenario.has_long_writer ? put_back : made;
  if (reached < scenario.cutovers)
    broken.push_back(fmt::format("{}: {} of {} cutovers were {}", tally.contestant, reached, scenario.cutovers,
                                 scenario.has_long_writer ? "put back within the budget" : "made"));
  const auto longest = std::ranges::max_element(tally.client_waits_ms);
  if (scenario.has_long_writer && longest != tally.client_waits_ms.end() &&
      *longest > kLongWriterBudgetMs + kBudgetToleranceMs)
    broken.push_back(fmt::format("{}: a client waited {:.0f} ms, the budget is {:.0f}", tally.contestant, *longest,
                                 kLongWriterBudgetMs));
  return broken;
}

}  // namespace verdigris::bench
