#include "healthcheck/questions.hpp"

namespace verdigris::questions {

Findings unlogged_tables(const CheckContext& context) {
  const Result answer = context.source.control().query(Sql(R"(
    SELECT n.nspname || '.' || c.relname FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
    WHERE c.relpersistence = 'u' AND c.relkind IN ('r', 'p') ORDER BY 1)"),
                                                     context.deadline);
  std::vector<std::string> names;
  for (const Row& row : answer.rows(1)) names.push_back(row.text(0));
  if (names.empty()) return {pass("data.unlogged", "no unlogged table on " + context.source.color())};
  return {fail("data.unlogged", context.source.color() + ": the rows of unlogged tables do not replicate: " + some_of(names),
               "ALTER TABLE ... SET LOGGED, or waive data.unlogged by name: they will be empty on " + context.target.color() + ".")};
}

}  // namespace verdigris::questions
