#include "healthcheck/questions.hpp"

namespace verdigris::questions {
namespace {

struct ForeignTables {
  std::vector<std::string> all;
  std::vector<std::string> in_trees;  // partitions of trees that are to replicate
};

ForeignTables foreign_tables_of(const CheckContext& context) {
  const Result answer = context.source.control().query(Sql(R"(
    SELECT n.nspname, c.relname, rn.nspname, rc.relname
    FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
    LEFT JOIN pg_class rc ON c.relispartition AND rc.oid = pg_partition_root(c.oid)
    LEFT JOIN pg_namespace rn ON rn.oid = rc.relnamespace
    WHERE c.relkind = 'f' ORDER BY 1, 2)"),
                                                       context.deadline);
  ForeignTables found;
  for (const Row& row : answer.rows(4)) {
    const auto name = QualifiedName(row.text(0), row.text(1)).display();
    found.all.push_back(name);
    if (!row.is_null(2) && context.settings.tables.selects(QualifiedName(row.text(2), row.text(3)))) found.in_trees.push_back(name);
  }
  return found;
}

}  // namespace

// A publication of a partitioned table holds all its partitions, and no subscription is made over a foreign one.
Findings foreign_tables(const CheckContext& context) {
  const auto found = foreign_tables_of(context);
  const auto& here = context.source.color();
  if (found.all.empty()) return {pass("data.foreign", "no foreign table on " + here)};
  Findings findings{warn("data.foreign", here + ": foreign tables are carried over as definitions only: " + some_of(found.all),
                         "Check that green reaches their servers, and set the options that hold secrets there.")};
  if (!found.in_trees.empty())
    findings.push_back(fail("data.foreign-partition",
                            here + ": foreign tables are partitions of tables that replicate, which no subscription can hold: " +
                                some_of(found.in_trees),
                            "Detach them for the time of the deployment, or exclude the partitioned table under "
                            "replication.tables.exclude."));
  return findings;
}

}  // namespace verdigris::questions
