#include "healthcheck/questions.hpp"

namespace verdigris::questions {

// The dump makes them by CREATE EXTENSION, empty or with what the extension brings; rows of people stay behind (pitfalls
// A11). A playbook says by exclude that they may, for example a scheduler's jobs.
Findings extension_tables(const CheckContext& context) {
  std::vector<std::string> names;
  for (const auto& table : user_tables(context.source.control(), context.deadline))
    if (table.is_extension_owned && !table.is_partitioned && context.settings.tables.selects(table.root.value_or(table.name)))
      names.push_back(table.name.display());
  if (names.empty()) return {pass("data.extension-tables", "no table of an extension on " + context.source.color())};
  return {fail("data.extension-tables", context.source.color() + ": tables of extensions do not replicate: " + some_of(names),
               "Exclude them under replication.tables.exclude, or waive data.extension-tables by name; copy rows that matter yourself.")};
}

}  // namespace verdigris::questions
