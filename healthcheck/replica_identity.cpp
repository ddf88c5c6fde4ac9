#include "healthcheck/questions.hpp"

namespace verdigris::questions {
namespace {

struct Named {
  std::string table;
  std::string detail;
};

// Tables whose UPDATE and DELETE begin to fail the moment they are published. A deferrable key identifies nothing.
std::vector<Table> without_identity(const CheckContext& context) {
  std::vector<Table> out;
  for (auto& table : user_tables(context.source.control(), context.deadline))
    if (!table.is_partitioned && context.settings.tables.selects(table) && table.replica_identity != 'f' &&
        table.key.empty())
      out.push_back(std::move(table));
  return out;
}

// "schema.table.column type" of columns without equality in tables that are FULL, or will be for want of a unique
// index. The worker looks for the default btree or hash operators, through domains and arrays.
std::vector<Named> full_without_equality(const CheckContext& context) {
  const Result answer = context.source.control().query(Sql(R"(
    WITH RECURSIVE full_tables AS (
      SELECT c.oid, n.nspname, c.relname FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
      WHERE c.relkind = 'r' AND c.relpersistence = 'p' AND n.nspname !~ '^(pg_|information_schema$|verdigris$)'
        AND (c.relreplident = 'f' OR NOT EXISTS (
          SELECT FROM pg_index i WHERE i.indrelid = c.oid AND i.indisunique AND i.indisvalid AND i.indimmediate
            AND i.indpred IS NULL AND i.indexprs IS NULL AND NOT EXISTS (
              SELECT FROM pg_attribute k WHERE k.attrelid = c.oid AND k.attnum = ANY (i.indkey) AND NOT k.attnotnull)))),
    types AS (
      SELECT t.oid AS table_oid, t.nspname, t.relname, a.attname, a.atttypid AS asked, a.atttypid AS type
      FROM full_tables t JOIN pg_attribute a ON a.attrelid = t.oid AND a.attnum > 0 AND NOT a.attisdropped
      UNION ALL
      SELECT types.table_oid, types.nspname, types.relname, types.attname, types.asked,
             CASE WHEN y.typtype = 'd' THEN y.typbasetype ELSE y.typelem END
      FROM types JOIN pg_type y ON y.oid = types.type
      WHERE y.typtype = 'd' OR y.typcategory = 'A' AND y.typelem <> 0)
    SELECT nspname, relname, attname, format_type(asked, NULL)
    FROM types JOIN pg_type y ON y.oid = types.type
    WHERE y.typtype = 'b' AND y.typcategory <> 'A' AND NOT EXISTS (
      SELECT FROM pg_opclass o JOIN pg_am m ON m.oid = o.opcmethod
      WHERE m.amname IN ('btree', 'hash') AND o.opcdefault AND (o.opcintype = y.oid OR EXISTS (
        SELECT FROM pg_cast k WHERE k.castsource = y.oid AND k.casttarget = o.opcintype AND k.castmethod = 'b'
          AND k.castcontext = 'i')))
    ORDER BY 1, 2, 3)"),
                                                     context.deadline);
  std::vector<Named> out;
  for (const Row& row : answer.rows(4)) {
    const QualifiedName table(row.text(0), row.text(1));
    if (context.settings.tables.selects(table)) out.push_back({table.display(), row.text(2) + " " + row.text(3)});
  }
  return out;
}

}  // namespace

Findings replica_identity(const CheckContext& context) {
  Findings findings;
  std::vector<std::string> names;
  for (const auto& table : without_identity(context)) names.push_back(table.name.display());
  const std::string text = "blue: " + std::to_string(names.size()) + " tables without an identity: " + some_of(names);
  if (names.empty())
    findings.push_back(pass("ri.none", "every table has an identity"));
  else if (context.settings.makes_identities)
    findings.push_back(note("ri.none", text + "; prepare gives them one and finish takes it away again"));
  else
    findings.push_back(fail("ri.none", text, "Give them a primary key, or say replication.identity: auto."));
  std::vector<std::string> columns;
  for (const auto& column : full_without_equality(context)) columns.push_back(column.table + "." + column.detail);
  if (!columns.empty())
    findings.push_back(
        fail("ri.full-type",
             "blue: tables without a key hold types without equality, whose updates would stop the stream: " +
                 some_of(columns),
             "Give these tables a primary key."));
  return findings;
}

}  // namespace verdigris::questions
