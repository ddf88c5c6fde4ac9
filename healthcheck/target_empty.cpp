#include "healthcheck/questions.hpp"
#include "replication/control_schema.hpp"

namespace verdigris::questions {
namespace {

std::vector<std::string> tables_with_rows(Server& server, const std::vector<Table>& tables, Deadline deadline) {
  std::vector<std::string> names;
  for (const auto& table : tables) {
    if (table.is_partitioned) continue;
    const Result answer = server.control().query(Sql("SELECT EXISTS (SELECT FROM ONLY {})", table.name), deadline);
    if (answer.one_row(1).boolean(0)) names.push_back(table.name.display());
  }
  return names;
}

// All of blue's rows came with its files, and by us.
bool is_whole_copy(const CheckContext& context) {
  Server& green = context.target;
  return context.settings.is_target_copy && has_control_schema(green.control(), context.deadline) &&
         saved_value(green.control(), green.deployment(), "copy:done", context.deadline);
}

}  // namespace

// Rows that are there already would be mixed with blue's, never merged.
Findings target_empty(const CheckContext& context) {
  if (context.is_prepared) return {note("target.not-empty", "green is prepared already")};
  if (is_whole_copy(context)) return {pass("target.not-empty", "green holds blue's rows, with its files")};
  auto tables = user_tables(context.target.control(), context.deadline);
  std::erase_if(tables, [](const Table& table) { return table.is_extension_owned; });
  const auto filled = tables_with_rows(context.target, tables, context.deadline);
  if (!filled.empty())
    return {fail("target.not-empty",
                 "green: " + std::to_string(filled.size()) + " of " + std::to_string(tables.size()) +
                     " tables hold rows: " + some_of(filled),
                 "Use an empty database on green.")};
  if (context.settings.dumps_schema && !tables.empty())
    return {fail("target.not-empty", "green: has " + std::to_string(tables.size()) + " tables already, although empty",
                 "Use an empty database, or say replication.schema: present.")};
  return {pass("target.not-empty", "green holds no rows")};
}

}  // namespace verdigris::questions
