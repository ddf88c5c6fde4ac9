// Do both sides hold the same rows? Each table is read once per side as count(*) and the exact sum of 64-bit row
// hashes, so no row travels and no order matters; equal sums of different rows are as likely as one hash meeting
// another.
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <string>
#include <vector>

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
};

struct ParityReport {
  std::vector<TableVerdict> tables;      // ordered by name
  std::vector<std::string> differences;  // of other things: sequences
  std::vector<std::string> uncovered;    // what was not compared, and why
  Lsn position;                          // of the source at which both were read
  std::vector<Gap> gaps = {};            // what is_equal() does not show: findings_of() judges them

  bool is_equal() const;  // of the rows and sequences that were compared
};

// Both sides are still (behind the fence, drained): one pass over all sessions at once, plain equality is valid.
// Everything else was done when the sessions were opened. Throws Refused "schema.drift" if a catalog has changed since.
ParityReport compare_still(ParitySessions& sessions, Deadline deadline);

enum class CompareMode { counts, full };

// Writes go on: both sides are read under a pair of snapshots aligned by a marker (parity.md section 2). What differs
// is read again under a new pair; only what differs `rounds` times is a difference. Never stops apply for more than the
// half second in which a pair is made. Throws DeadlinePassed if the target does not get close enough in time.
ParityReport compare_live(Server& source, Server& target, const Streams& streams, int workers, int rounds,
                          const ProgressCallback& progress, Deadline deadline, CompareMode mode = CompareMode::full,
                          const TableSelection& filter = {});

}  // namespace verdigris
