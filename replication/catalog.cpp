#include "replication/catalog.hpp"

#include <algorithm>
#include <utility>

namespace verdigris {
namespace {

// One row per column; a table without columns has one row with NULLs. The identity in force is the primary key only if
// it is immediate: a deferrable one identifies nothing (pitfalls X5).
Result read_tables(Connection& on, TableSizes sizes, Deadline deadline) {
  const Sql bytes = sizes == TableSizes::read ? Sql("coalesce(pg_table_size(c.oid), 0)") : Sql("0::int8");
  return on.query(Sql(R"(
    WITH tables AS MATERIALIZED (
      SELECT c.oid, n.nspname, c.relname, c.relkind = 'p' AS is_partitioned, c.relispartition,
             c.relpersistence = 'u' AS is_unlogged, c.relreplident,
             CASE WHEN c.relkind = 'r' THEN {} ELSE 0 END AS bytes,
             CASE WHEN c.relispartition THEN pg_partition_root(c.oid)::oid END AS root,
             EXISTS (SELECT FROM pg_depend d
                     WHERE d.classid = 'pg_class'::regclass AND d.objid = c.oid AND d.objsubid = 0
                       AND d.deptype = 'e') AS is_extension_owned
      FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
      WHERE c.relkind IN ('r', 'p') AND c.relpersistence <> 't'
        AND n.nspname !~ '^(pg_|information_schema$|verdigris$)')
    SELECT t.oid, t.nspname, t.relname, t.is_partitioned, t.relispartition, rn.nspname, rc.relname, t.is_unlogged,
           t.is_extension_owned, t.relreplident, t.bytes,
           a.attname, format_type(a.atttypid, a.atttypmod), a.atttypid, a.attnotnull, a.attgenerated = 's',
           a.attgenerated = 'v', a.attidentity <> '',
           (SELECT k.position FROM unnest(i.indkey::int2[]) WITH ORDINALITY AS k(attnum, position)
            WHERE k.attnum = a.attnum AND k.position <= i.indnkeyatts)
    FROM tables t
    LEFT JOIN pg_class rc ON rc.oid = t.root
    LEFT JOIN pg_namespace rn ON rn.oid = rc.relnamespace
    LEFT JOIN pg_attribute a ON a.attrelid = t.oid AND a.attnum > 0 AND NOT a.attisdropped
    LEFT JOIN pg_index i ON i.indrelid = t.oid AND i.indisvalid AND i.indimmediate
      AND CASE t.relreplident WHEN 'd' THEN i.indisprimary WHEN 'i' THEN i.indisreplident ELSE false END
    ORDER BY t.nspname, t.relname, a.attnum)",
                      bytes),
                  deadline);
}

Table table_of(const Row& row) {
  Table table{.name = {row.text(1), row.text(2)}};
  table.oid = static_cast<unsigned>(row.integer(0));
  table.is_partitioned = row.boolean(3);
  table.is_partition = row.boolean(4);
  if (!row.is_null(6)) table.root.emplace(row.text(5), row.text(6));
  table.is_unlogged = row.boolean(7);
  table.is_extension_owned = row.boolean(8);
  table.replica_identity = row.text(9).at(0);
  table.bytes = row.integer(10);
  return table;
}

Column column_of(const Row& row) {
  return {.name = Identifier(row.text(11)),
          .type = row.text(12),
          .type_oid = static_cast<unsigned>(row.integer(13)),
          .not_null = row.boolean(14),
          .is_stored_generated = row.boolean(15),
          .is_virtual_generated = row.boolean(16),
          .is_identity = row.boolean(17)};
}

}  // namespace

std::vector<Table> user_tables(Connection& on, Deadline deadline, TableSizes sizes) {
  const Result answer = read_tables(on, sizes, deadline);
  std::vector<Table> tables;
  std::vector<std::pair<std::int64_t, Identifier>> key;  // of the table under way, by position in the index
  const auto finish_key = [&] {
    std::sort(key.begin(), key.end());
    for (auto& [position, name] : key) tables.back().key.push_back(name);
    key.clear();
  };
  for (const Row& row : answer.rows(19)) {
    if (tables.empty() || tables.back().oid != static_cast<unsigned>(row.integer(0))) {
      if (!tables.empty()) finish_key();
      tables.push_back(table_of(row));
    }
    if (row.is_null(11)) continue;
    tables.back().columns.push_back(column_of(row));
    if (!row.is_null(18)) key.emplace_back(row.integer(18), tables.back().columns.back().name);
  }
  if (!tables.empty()) finish_key();
  return tables;
}

std::vector<Sequence> user_sequences(Connection& on, Deadline deadline) {
  const Result answer = on.query(Sql(R"(
    SELECT n.nspname, c.relname, s.seqincrement, s.seqmin, s.seqmax, s.seqcycle, s.seqcache,
           format_type(s.seqtypid, NULL)
    FROM pg_sequence s JOIN pg_class c ON c.oid = s.seqrelid JOIN pg_namespace n ON n.oid = c.relnamespace
    WHERE c.relpersistence <> 't' AND n.nspname !~ '^(pg_|information_schema$|verdigris$)'
    ORDER BY n.nspname, c.relname)"),
                                 deadline);
  std::vector<Sequence> sequences;
  for (const Row& row : answer.rows(8))
    sequences.push_back({.name = {row.text(0), row.text(1)},
                         .increment = row.integer(2),
                         .min = row.integer(3),
                         .max = row.integer(4),
                         .cycle = row.boolean(5),
                         .cache = row.integer(6),
                         .type = row.text(7)});
  return sequences;
}

std::string catalog_fingerprint(Connection& on, Deadline deadline) {
  // Oids and not names of types: the digest is compared on one server only, and it is read while clients wait.
  const Result answer = on.query(Sql(R"(
    WITH tables AS (
      SELECT c.oid, n.nspname, c.relname, c.relkind, c.relpersistence, c.relreplident, c.relispartition
      FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
      WHERE c.relkind IN ('r', 'p', 'S') AND c.relpersistence <> 't'
        AND n.nspname !~ '^(pg_|information_schema$|verdigris$)'),
    facts AS (
      SELECT t.oid, 0 AS kind, 0 AS part,
             concat_ws(',', t.nspname, t.relname, t.relkind, t.relpersistence, t.relreplident, t.relispartition) AS fact
      FROM tables t
      UNION ALL
      SELECT t.oid, 1, a.attnum, concat_ws(',', a.attname, a.atttypid, a.atttypmod, a.attcollation, a.attnotnull,
                                           a.attgenerated, a.attidentity)
      FROM tables t JOIN pg_attribute a ON a.attrelid = t.oid
      WHERE t.relkind <> 'S' AND a.attnum > 0 AND NOT a.attisdropped
      UNION ALL
      SELECT t.oid, 2, i.indexrelid::int8, concat_ws(',', i.indkey, i.indisprimary, i.indisreplident, i.indimmediate)
      FROM tables t JOIN pg_index i ON i.indrelid = t.oid
      WHERE i.indisvalid AND i.indisunique
      UNION ALL
      SELECT s.seqrelid, 3, 0, concat_ws(',', s.seqtypid, s.seqincrement, s.seqmin, s.seqmax, s.seqcycle, s.seqcache)
      FROM tables t JOIN pg_sequence s ON s.seqrelid = t.oid)
    SELECT md5(coalesce(string_agg(concat_ws(':', oid, kind, part, length(fact), fact), ';'
                                   ORDER BY oid, kind, part), '')) FROM facts)"),
                                 deadline);
  return answer.one_row(1).text(0);
}

}  // namespace verdigris
