// Which rows make two sums differ: read under the snapshots that the sessions stand in, first by bucket, then the rows of
// the buckets that differ, so that what is kept here stays small however large the table is. Stateless.
#pragma once

#include <cstdint>
#include <map>
#include <set>
#include <string>

#include "healthcheck/parity/keyed_rows.hpp"
#include "healthcheck/parity/scan.hpp"
#include "healthcheck/parity/sessions.hpp"

namespace verdigris {

struct Drilled {
  std::set<RowKey> keys;                         // that differ, of a table with a key
  std::map<std::string, std::int64_t> surplus;   // row hash: rows more on the source (less: negative), of one without
  bool is_cut = false;                           // there is more of it than this
};

// The first session of each side reads; table: index in the agreement, sums: its two.
Drilled drill(ParitySessions& sessions, std::size_t table, const SumPair& sums, Deadline deadline);

}  // namespace verdigris
