#include "healthcheck/questions.hpp"

namespace verdigris::questions {

Findings foreign_tables(const CheckContext& context) {
  const Result answer = context.source.control().query(Sql(R"(
    SELECT n.nspname || '.' || c.relname FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
    WHERE c.relkind = 'f' ORDER BY 1)"),
                                                     context.deadline);
  std::vector<std::string> names;
  for (const Row& row : answer.rows(1)) names.push_back(row.text(0));
  if (names.empty()) return {pass("data.foreign", "no foreign table on " + context.source.color())};
  return {warn("data.foreign", context.source.color() + ": foreign tables are carried over as definitions only: " + some_of(names),
               "Check that green reaches their servers, and set the options that hold secrets there.")};
}

}  // namespace verdigris::questions
