// Holds what clients remember against what a server has (faults I1, I2, I5, I21). Reads one side in one snapshot;
// changes nothing. Meant for a server that nobody writes to any more.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "controller/sandbox/ledger_file.hpp"
#include "replication/connection.hpp"

namespace verdigris {

struct LedgerVerdict {
  std::int64_t acknowledged = 0;
  std::int64_t unknown = 0;
  std::int64_t lost = 0;            // acknowledged, and absent or altered
  std::int64_t duplicated = 0;      // rows more than written, and writers whose running sum is not that of their rows
  std::int64_t invented = 0;        // there, and neither acknowledged nor unknown
  std::int64_t half = 0;            // in one of the two tables of a transaction
  std::int64_t sequence_twice = 0;  // values that two writes got
  std::int64_t turns = 0;  // how often the side that took direct writes changed; more than switches: both were open
  std::vector<std::string> examples;  // the first few findings, for people

  bool is_clean() const { return lost + duplicated + invented + half + sequence_twice == 0; }
};

LedgerVerdict check_ledger(const std::vector<LedgerEntry>& ledger, Connection& side, Deadline deadline);

}  // namespace verdigris
