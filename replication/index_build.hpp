// What the building of one index or constraint needs to know of it, read from the statement that pg_restore would send.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "replication/sql.hpp"

namespace verdigris {

// One entry of the script with all that belongs to it (CLUSTER ON, REPLICA IDENTITY).
struct IndexBuild {
  std::optional<QualifiedName> table;
  std::string name;                    // of the index or the constraint
  bool is_constraint = false;
  bool is_exclusive = false;  // nobody else can work at its table meanwhile
  std::string text;
  std::int64_t table_bytes = 0;  // when it is to be built
};

IndexBuild read_build(const std::string& statement);  // without a table if it is of another form

// For maintenance_work_mem, in MB. A B-tree is sorted faster in runs that fit the processor's caches (measured: 64 MB
// against 256 MB, a fifth less for text) as long as one merge brings them together; the others gain by more.
int build_memory_mb(const IndexBuild& build);

}  // namespace verdigris
