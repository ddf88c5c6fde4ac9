// Do both sides hold the same rows? Each table is read once per side as count(*) and the exact sum of 64-bit row
// hashes, so no row travels and no order matters; equal sums of different rows are as likely as one hash meeting
// another.
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "healthcheck/parity/align.hpp"
#include "healthcheck/parity/judge.hpp"
#include "healthcheck/parity/sessions.hpp"
#include "replication/deadline.hpp"
#include "replication/server.hpp"
#include "replication/stream.hpp"
#include "replication/tool_runner.hpp"

namespace verdigris {

struct TableVerdict {
  QualifiedName table;
  std::int64_t source_rows = 0;
  std::int64_t target_rows = 0;
  bool is_equal = false;
  std::string note;  // for people: "missing on green", columns only one side has
  // Neither was established: no difference is proven, and the rows were not seen alike either.
  bool is_undecided = false;
  std::vector<RowDifference> rows = {};  // proven ones, ordered by key; at most a thousand
  bool has_more_rows = false;            // there are differences besides these
  std::vector<RowKey> undecided = {};    // keys that were written too often to tell
  std::int64_t settled = 0;              // rows that differed because they were on their way
};

struct ParityReport {
  std::vector<TableVerdict> tables;      // ordered by name
  std::vector<std::string> differences;  // of other things: sequences
  std::vector<std::string> uncovered;    // what was not compared, and why
  Lsn position;                          // of the source at which both were read
  std::vector<Gap> gaps = {};            // what is_equal() does not show: findings_of() judges them

  bool is_equal() const;  // of the rows and sequences that were compared
  bool is_undecided() const;  // no difference, but not equal either
  Holds holds = {};           // of apply on the target
};

// Both sides are still (behind the fence, drained): one pass over all sessions at once, plain equality is valid.
// Everything else was done when the sessions were opened. Throws Refused "schema.drift" if a catalog has changed since.
ParityReport compare_still(ParitySessions& sessions, Deadline deadline);

enum class CompareMode { counts, full };

struct LiveSettings {
  int workers = 1;
  int rounds = 6;  // how often tables are read again whose differences may only be on their way
  CompareMode mode = CompareMode::full;
  TableSelection filter = {};
  Values values = Values::hidden;
};

// Writes go on: both sides are read under a pair of snapshots aligned by a marker (parity.md section 2). Of what differs
// the rows are looked for, asked for again, and proven (judge.hpp). A table without a key differs when the same rows are
// too many under three pairs. What is neither seen alike nor proven stays undecided. Compared by counts only, a table
// differs when it does in all rounds. Throws DeadlinePassed if the target does not get close enough in time.
ParityReport compare_live(Server& source, Server& target, const Streams& streams, const LiveSettings& settings,
                          const ProgressCallback& progress, Deadline deadline);
// The same, over sessions that are there; settings.workers and filter are theirs.
ParityReport compare_live(Server& source, Server& target, const Streams& streams, ParitySessions& sessions,
                          const LiveSettings& settings, const ProgressCallback& progress, Deadline deadline);

}  // namespace verdigris
