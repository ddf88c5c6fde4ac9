// The tables and indexes that one server uses most, read into the cache of the other, which is about to serve in its
// place. Help, not proof: whatever goes wrong is only said. One thread per connection.
#pragma once

#include <chrono>
#include <string>
#include <vector>

#include "replication/connection.hpp"

namespace verdigris {

struct HotRelation {
  QualifiedName table;
  std::string index;  // of that table's schema; empty: the table itself
  std::int64_t uses = 0;
};

struct WarmLimits {
  int most_relations = 64;
  double share_of_buffers = 0.25;  // of the cache that is warmed
  std::chrono::milliseconds budget{3'000};
};

struct WarmReport {
  int tables = 0, indexes = 0;
  std::int64_t bytes = 0;
  bool by_extension = false;  // pg_prewarm
  std::string cut_short;      // why not all were read; empty: they were
  std::chrono::milliseconds took{0};
  std::string describe() const;  // "3 tables and 5 indexes, 12 MiB, read into its cache in 140 ms"
};

// By scans and writes since its statistics were reset, the most used first; none that was never used.
std::vector<HotRelation> hot_relations(Connection& on, int most, Deadline deadline);

// Reads them in that order, as far as limits allow: with pg_prewarm where it is installed, else by queries. The session
// is used up by it: it has other settings afterwards.
WarmReport warm(Connection& on, const std::vector<HotRelation>& relations, const WarmLimits& limits);

}  // namespace verdigris
