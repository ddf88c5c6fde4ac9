#include "healthcheck/questions.hpp"

#include <map>

namespace verdigris::questions {
namespace {

// "schema.table.column" -> expression
std::map<std::string, std::string> expressions(Server& server, Deadline deadline) {
  const Result answer = server.control().query(Sql(R"(
    SELECT n.nspname || '.' || c.relname || '.' || a.attname, pg_get_expr(d.adbin, d.adrelid)
    FROM pg_attribute a JOIN pg_attrdef d ON d.adrelid = a.attrelid AND d.adnum = a.attnum
    JOIN pg_class c ON c.oid = a.attrelid JOIN pg_namespace n ON n.oid = c.relnamespace
    WHERE a.attgenerated <> '' AND n.nspname !~ '^(pg_|information_schema$|verdigris$)')"),
                                               deadline);
  std::map<std::string, std::string> out;
  for (const Row& row : answer.rows(2)) out.emplace(row.text(0), row.text(1));
  return out;
}

}  // namespace

// Their values are not sent: each side computes them by its own expression.
Findings generated_columns(const CheckContext& context) {
  const auto blue = expressions(context.source, context.deadline);
  const auto green = expressions(context.target, context.deadline);
  std::vector<std::string> different;
  for (const auto& [column, expression] : blue) {
    const auto other = green.find(column);
    if (other != green.end() && other->second != expression)
      different.push_back(column + ": " + expression + " and " + other->second);
  }
  if (different.empty())
    return {pass("data.generated", std::to_string(blue.size()) + " generated columns, no other expression on green")};
  return {fail("data.generated", "generated columns have another expression on green: " + some_of(different),
               "Give both sides the same expression.")};
}

}  // namespace verdigris::questions
