// How long it takes until a second server holds all of the first one's rows and indexes: contestants in turn, from the
// same blue into an empty database of the same green, each checked row by row afterwards. Owned by one thread.
#pragma once

#include <set>
#include <string>
#include <vector>

#include "bench/figures.hpp"
#include "bench/stall.hpp"

namespace verdigris::bench {

enum class CopyData { one_table, mixed, toast, tiny };

struct CopyScenario {
  std::string dataset;  // "one table of 5000000 rows, 15-17"
  CopyData data = CopyData::one_table;
  int size = 0;  // rows of the table, of each table, or the number of tables
  int green_major = 17;
  int rounds = 5;
  bool is_quick = false;  // one variant of each contestant
  std::set<std::string> contestants = {};  // only these, and ours, which the others are compared with; empty: all
};

std::vector<CopyScenario> copy_scenarios(bool is_quick);

// One contestant in one scenario, one value a round.
struct CopyTally {
  std::string contestant, variant;
  std::vector<double> seconds = {};
  std::vector<double> cpu_seconds = {};  // of both servers, all their children, and of the contestant's own programs
  std::int64_t peak_memory_kib = 0;      // of the contestant's own process; 0: not looked at
  std::int64_t errors = 0;               // rounds that failed, or after which the servers differed
  std::int64_t lost = 0;                 // rows that were not there
  std::vector<std::string> examples = {};
};

struct CopyOutcome {
  Scene scene;
  double gigabytes = 0;  // of the database on blue, with indexes
  std::vector<CopyTally> tallies;
};

// Nothing in `tallies` if interrupted. Servers are new for each scenario, and gone afterwards.
CopyOutcome run_copy(const CopyScenario& scenario, Interruption& interruption, const Say& say);

Json json_of(const CopyOutcome& outcome, const CopyTally& tally);
// The table for people.
std::string text_of(const CopyOutcome& outcome);

}  // namespace verdigris::bench
