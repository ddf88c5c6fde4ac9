// Whether a contestant kept its promises in a scenario of `stall`, whatever its figures are. Computes only.
#pragma once

#include <string>
#include <vector>

#include "bench/figures.hpp"
#include "bench/scenario.hpp"

namespace verdigris::bench {

inline constexpr double kLongWriterBudgetMs = 1000, kBudgetToleranceMs = 50;

// What was broken, a sentence each: an error of a client, a write lost or doubled, fewer cutovers than asked for; where a
// transaction outlasts the budget, a cutover that was made all the same or a client that waited longer than the budget.
std::vector<std::string> broken_promises(const Scenario& scenario, const Tally& tally);

}  // namespace verdigris::bench
