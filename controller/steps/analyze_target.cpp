#include "controller/steps/analyze_target.hpp"

namespace verdigris {
namespace {

Sql analyze_statement() { return Sql("ANALYZE"); }

}  // namespace

std::string AnalyzeTarget::describe() const {
  return "gather planner statistics on " + target_->color();
}

Readiness AnalyzeTarget::check(Deadline deadline) {
  const Result answer = target_->control().query(Sql(R"(
    SELECT count(*) FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
    WHERE c.relkind IN ('r', 'm') AND c.relpersistence <> 't'
      AND n.nspname !~ '^(pg_|information_schema$|verdigris$)' AND pg_relation_size(c.oid) > 0
      AND EXISTS (SELECT FROM pg_attribute a WHERE a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped)
      AND NOT EXISTS (SELECT FROM pg_statistic s WHERE s.starelid = c.oid))"),
                                                 deadline);
  if (answer.one_row(1).integer(0) == 0) return Done{};
  return Ready{};
}

PlannedActs AnalyzeTarget::statements(Deadline) { return {{target_->color(), analyze_statement().text()}}; }

std::string AnalyzeTarget::apply(Deadline deadline) {
  // Without a list: partitioned roots too, which autovacuum never analyzes. Expressions in indexes may need the
  // database's own path (pitfalls X9).
  Connection session = target_->open("analyze", deadline);
  session.execute(Sql(R"(SET search_path TO "$user", public)"), deadline);
  session.execute(analyze_statement(), deadline);
  return target_->color() + " analyzed";
}

}  // namespace verdigris
