// What is copied: made on blue, whole and at rest, before the first contestant begins. And the comparison afterwards.
#pragma once

#include <map>

#include "bench/copy.hpp"
#include "replication/conninfo.hpp"
#include "replication/connection.hpp"
#include "replication/deadline.hpp"

namespace verdigris::bench {

// Into an empty database; needs the roles of the sandbox. Ends with VACUUM (ANALYZE) and CHECKPOINT.
void create_copy_data(const Conninfo& superuser, const CopyScenario& scenario, Deadline deadline);

// Of each user table: how many rows, and a sum over their texts that does not depend on their order. Under the
// name "" the indexes and constraints of all, as the server words them.
struct TableDigest {
  std::int64_t rows = 0;
  std::string sum;
  bool operator==(const TableDigest&) const = default;
};
std::map<std::string, TableDigest> digests(Connection& on, Deadline deadline);

}  // namespace verdigris::bench
