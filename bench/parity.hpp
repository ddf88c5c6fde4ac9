// How long it takes to know that two servers hold the same rows: `verify` beside what others send, on the same data, both
// sides at once with one session each; at rest, and while a load writes. Owned by one thread.
#pragma once

#include <string>
#include <vector>

#include "bench/copy.hpp"
#include "bench/figures.hpp"
#include "bench/stall.hpp"

namespace verdigris::bench {

struct ParityScenario {
  std::string dataset;  // "one table of 5000000 rows, at rest"
  CopyData data = CopyData::one_table;
  int size = 0;
  bool is_written = false;  // a load changes rows meanwhile
  int rounds = 5;
};

std::vector<ParityScenario> parity_scenarios(bool is_quick);

struct ParityTally {
  std::string contestant;
  std::vector<double> seconds = {};
  std::vector<double> cpu_seconds = {};  // of both servers, and of the contestant's own program
  std::vector<double> load_ms = {};      // how long each transaction of the load took meanwhile
  std::int64_t settled = 0;              // rows that were on their way, and were seen to arrive
  std::int64_t errors = 0;               // tables that were called different and are not; rounds that failed
  std::vector<std::string> examples = {};
};

struct ParityOutcome {
  Scene scene;
  std::int64_t rows = 0, bytes = 0;  // of the tables on blue
  std::vector<ParityTally> tallies;
};

// Nothing in `tallies` if interrupted.
ParityOutcome run_parity(const ParityScenario& scenario, Interruption& interruption, const Say& say);

Json json_of(const ParityOutcome& outcome, const ParityTally& tally);
std::string text_of(const ParityOutcome& outcome);

}  // namespace verdigris::bench
