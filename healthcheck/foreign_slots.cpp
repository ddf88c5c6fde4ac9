#include "healthcheck/questions.hpp"

namespace verdigris::questions {

// Consumers that go on reading blue after the switch: change capture, other warehouses.
Findings foreign_slots(const CheckContext& context) {
  const Result answer = context.source.control().query(Sql(R"(
    SELECT slot_name || ' (' || plugin || CASE WHEN active THEN ', active' ELSE '' END || ')'
    FROM pg_replication_slots
    WHERE slot_type = 'logical' AND database = current_database() AND slot_name !~ '^verdigris_' ORDER BY 1)"),
                                                     context.deadline);
  std::vector<std::string> names;
  for (const Row& row : answer.rows(1)) names.push_back(row.text(0));
  if (names.empty()) return {pass("slot.foreign", "nobody else reads the changes of " + context.source.color())};
  return {warn("slot.foreign", context.source.color() + ": others read its changes and will not follow to " + context.target.color() + ": " + some_of(names),
               "Decide for each whether to move, drop or leave it.")};
}

}  // namespace verdigris::questions
