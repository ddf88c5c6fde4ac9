// How long clients are held while their database moves: contestants in turn on the same servers, under the same load,
// over and back.
#pragma once

#include <filesystem>
#include <functional>

#include "bench/figures.hpp"
#include "bench/scenario.hpp"
#include "controller/sandbox/interruption.hpp"

namespace verdigris::bench {

struct Outcome {
  Scene scene;
  std::vector<Tally> tallies;  // ours first
};

using Say = std::function<void(const std::string&)>;

// Nothing in `tallies` if interrupted. Servers are new for each scenario, and gone afterwards.
Outcome run_stall(const Scenario& scenario, const std::filesystem::path& recipe, Interruption& interruption,
                  const Say& say);

}  // namespace verdigris::bench
