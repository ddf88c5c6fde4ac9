#include "controller/steps/analyze_target.hpp"

#include <atomic>
#include <future>
#include <vector>

namespace verdigris {
namespace {

constexpr std::size_t kMostAtOnce = 20;  // small tables in one statement

// Of the whole database, catalogs and partitioned roots too, which autovacuum never analyzes and which bring their
// partitions along; the largest first.
std::vector<Sql> analyzing_statements(Connection& on, Deadline deadline) {
  const Result answer = on.query(Sql(R"(
    SELECT n.nspname, c.relname, coalesce(pg_relation_size(c.oid), 0) >= 1048576 OR c.relkind = 'p'
    FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
    WHERE c.relkind IN ('r', 'm', 'p') AND c.relpersistence <> 't' AND n.nspname !~ '^pg_toast'
      AND NOT c.relispartition AND (c.relkind <> 'm' OR c.relispopulated)
    ORDER BY c.relkind <> 'p', pg_relation_size(c.oid) DESC)"),
                                 deadline);
  std::vector<Sql> statements, small;
  const auto flush = [&] {
    if (!small.empty()) statements.push_back(Sql("ANALYZE {}", Sql::joined(small, ", ")));
    small.clear();
  };
  for (const Row& row : answer.rows(3)) {
    const Sql table("{}", QualifiedName(row.text(0), row.text(1)));
    if (row.boolean(2)) {
      statements.push_back(Sql("ANALYZE {}", table));
      continue;
    }
    small.push_back(table);
    if (small.size() == kMostAtOnce) flush();
  }
  flush();
  return statements;
}

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

PlannedActs AnalyzeTarget::statements(Deadline) { return {{target_->color(), "ANALYZE <each table, largest first>"}}; }

std::string AnalyzeTarget::apply(Deadline deadline) {
  const auto statements = analyzing_statements(target_->control(), deadline);
  std::atomic<std::size_t> next = 0;
  const auto work = [&] {
    // Expressions in indexes may need the database's own path (pitfalls X9).
    Connection session = target_->open("analyze", deadline);
    session.execute(Sql(R"(SET search_path TO "$user", public)"), deadline);
    for (std::size_t i = next++; i < statements.size(); i = next++) session.execute(statements[i], deadline);
  };
  std::vector<std::future<void>> sessions;
  for (int i = 0; i < workers_; ++i) sessions.push_back(std::async(std::launch::async, work));
  for (auto& one : sessions) one.wait();
  for (auto& one : sessions) one.get();
  return target_->color() + " analyzed";
}

}  // namespace verdigris
