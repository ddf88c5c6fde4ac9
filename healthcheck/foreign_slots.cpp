#include "healthcheck/questions.hpp"

namespace verdigris::questions {

// Consumers that go on reading blue after the switch: change capture, other warehouses.
Findings foreign_slots(const CheckContext& context) {
  const Result answer = context.blue.control().query(Sql(R"(
    SELECT slot_name || ' (' || plugin || CASE WHEN active THEN ', active' ELSE '' END || ')'
    FROM pg_replication_slots
    WHERE slot_type = 'logical' AND database = current_database() AND slot_name !~ '^verdigris_' ORDER BY 1)"),
                                                     context.deadline);
  std::vector<std::string> names;
  for (const Row& row : answer.rows(1)) names.push_back(row.text(0));
  if (names.empty()) return {pass("slot.foreign", "nobody else reads blue's changes")};
  return {warn("slot.foreign", "blue: others read its changes and will not follow to green: " + some_of(names),
               "Decide for each whether to move, drop or leave it.")};
}

}  // namespace verdigris::questions
