// What a database holds, as far as replication cares: tables, columns, keys, sequences. Read by one statement each, so
// that the answer is one snapshot, and without regard to search_path. Works on 13 to 18. Changes nothing.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "replication/connection.hpp"
#include "replication/deadline.hpp"
#include "replication/sql.hpp"

namespace verdigris {

struct Column {
  Identifier name;
  std::string type;  // format_type(): qualified unless it is a type of pg_catalog
  unsigned type_oid = 0;
  bool not_null = false;
  bool is_stored_generated = false;
  bool is_virtual_generated = false;  // 18
  bool is_identity = false;

  bool is_generated() const { return is_stored_generated || is_virtual_generated; }
};

struct Table {
  QualifiedName name;
  unsigned oid = 0;
  bool is_partitioned = false;             // relkind p: holds no rows itself
  bool is_partition = false;               // of another table; may be partitioned itself
  std::optional<QualifiedName> root = {};  // of its partition tree, if it is a partition
  bool is_unlogged = false;
  bool is_extension_owned = false;
  char replica_identity = 'd';  // d(efault), n(othing), f(ull), i(ndex)
  std::int64_t bytes = 0;       // with TOAST, without indexes; 0 for relkind p, and if left out
  std::vector<Column> columns = {};
  std::vector<Identifier> key =
      {};  // columns of the identity in force, in its order; empty if there is none or it is FULL
};

// Their sizes take most of the time where there are thousands.
enum class TableSizes { left_out, read };

// Every user table (relkind r and p, not temporary, not in pg_*, information_schema or verdigris), ordered by name.
std::vector<Table> user_tables(Connection& on, Deadline deadline, TableSizes sizes = TableSizes::left_out);

struct Sequence {
  QualifiedName name;
  std::int64_t increment = 1;
  std::int64_t min = 1;
  std::int64_t max = 0;
  bool cycle = false;
  std::int64_t cache = 1;
  std::string type;
};

// Every user sequence, those of identity columns and of extensions included, ordered by name.
std::vector<Sequence> user_sequences(Connection& on, Deadline deadline);

// A digest (md5 text) over tables, columns, types, keys and sequences: equal for equal catalogs of one server over
// time. A table dropped and made again differs, because a publication has lost it.
std::string catalog_fingerprint(Connection& on, Deadline deadline);

}  // namespace verdigris
