// How fast a following server takes in what was written while it did not follow: the same transactions of four writers,
// with one stream and with two, and with a plain subscription. What is faster than its writers never falls behind them.
// Owned by one thread.
#pragma once

#include <string>
#include <vector>

#include "bench/figures.hpp"
#include "bench/stall.hpp"

namespace verdigris::bench {

struct CatchupTally {
  std::string contestant, variant;
  std::vector<double> seconds = {};         // until the last row is there
  std::vector<double> writer_seconds = {};  // that the writers had needed
  std::vector<double> cpu_seconds = {};     // of both servers, while it caught up
  std::int64_t errors = 0, lost = 0;
  std::vector<std::string> examples = {};
};

struct CatchupOutcome {
  Scene scene;
  int transactions = 0;
  std::vector<CatchupTally> tallies;
};

// Nothing in `tallies` if interrupted.
CatchupOutcome run_catchup(bool is_quick, Interruption& interruption, const Say& say);

Json json_of(const CatchupOutcome& outcome, const CatchupTally& tally);
std::string text_of(const CatchupOutcome& outcome);

}  // namespace verdigris::bench
