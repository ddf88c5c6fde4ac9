#include "replication/copy/plan.hpp"

#include <algorithm>
#include <set>

namespace verdigris {
namespace {

Sql table_and_columns(const CopyItem& item) {
  if (item.columns.empty()) return Sql("{}", item.table);
  return Sql("{} ({})", item.table, Sql::joined(item.columns, ", "));
}

}  // namespace

std::vector<CopyItem> copy_plan(const std::vector<Table>& source_tables, const TableSelection& filter) {
  std::vector<CopyItem> items;
  for (const Table& table : source_tables) {
    if (table.is_partitioned || !filter.selects(table)) continue;
    CopyItem item{.table = table.name, .columns = {}, .bytes = table.bytes};
    for (const Column& column : table.columns)
      if (!column.is_generated()) item.columns.push_back(column.name);
    items.push_back(std::move(item));
  }
  std::stable_sort(items.begin(), items.end(), [](const CopyItem& a, const CopyItem& b) { return a.bytes > b.bytes; });
  return items;
}

void mark_referenced(std::vector<CopyItem>& items, Connection& target, Deadline deadline) {
  const Result answer = target.query(Sql(R"(
    SELECT DISTINCT n.nspname, c.relname
    FROM pg_constraint k JOIN pg_class c ON c.oid = k.confrelid JOIN pg_namespace n ON n.oid = c.relnamespace
    WHERE k.contype = 'f')"),
                                     deadline);
  std::set<QualifiedName> referenced;
  for (const Row& row : answer.rows(2)) referenced.emplace(row.text(0), row.text(1));
  for (CopyItem& item : items) item.may_truncate = !referenced.contains(item.table);
}

Sql emptying(const CopyItem& item) { return Sql("TRUNCATE ONLY {}", item.table); }

Sql copy_to(const CopyItem& item) {
  return Sql("COPY {} TO STDOUT (FORMAT text)", table_and_columns(item));
}

Sql copy_from(const CopyItem& item) {
  // FREEZE needs a table truncated in the same transaction; it spares the target a rewrite of every page later.
  if (item.may_truncate) return Sql("COPY {} FROM STDIN (FORMAT text, FREEZE)", table_and_columns(item));
  return Sql("COPY {} FROM STDIN (FORMAT text)", table_and_columns(item));
}

}  // namespace verdigris
