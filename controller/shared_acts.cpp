#include "controller/shared_acts.hpp"

#include "replication/control_schema.hpp"
#include "replication/fence.hpp"

namespace verdigris {
namespace {

// For people: nothing here passes through a shell.
std::string command_line(const std::vector<std::string>& argv) {
  std::string line;
  for (const auto& word : argv) {
    const bool is_plain = word.find_first_of(" '\"") == std::string::npos;
    line += (line.empty() ? "" : " ") + (is_plain ? word : "\"" + word + "\"");
  }
  return line;
}

}  // namespace

PlannedAct saving(Server& on, const std::string& key, const std::string& value) {
  return {on.color(), saving_statement().text(), {on.deployment(), key, value}};
}

PlannedAct forgetting(Server& on, const std::string& key) {
  return {on.color(), forgetting_statement().text(), {on.deployment(), key}};
}

PlannedActs identity_acts(Server& on, const std::vector<IdentityChange>& changes) {
  PlannedActs out;
  for (const auto& change : changes) {
    out.push_back(saving(on, "identity:" + change.table.display(), change.saved));
    out.push_back({on.color(), altering_statement(change).text()});
  }
  return out;
}

std::vector<std::string> sql_names(const std::vector<QualifiedName>& tables) {
  std::vector<std::string> names;
  for (const auto& table : tables) names.push_back(table.sql());
  return names;
}

void add_fence_triggers(PlannedActs& out, const std::string& on, const std::vector<QualifiedName>& tables, const std::string& unknown) {
  if (tables.empty() && unknown.empty()) return;
  const auto each = tables.empty() ? std::vector<std::string>{unknown} : sql_names(tables);
  for (const auto& statement : trigger_statements(Sql("<table>"))) out.push_back({.on = on, .text = statement.text(), .each = each});
}

void add_programs(PlannedActs& out, const SchemaDumpTool& tool, Server& source, Server& target, SchemaSection section) {
  const auto add = [&out](const Server& on, const std::vector<std::string>& argv) {
    out.push_back({.on = on.color(), .text = command_line(argv), .is_program = true});
  };
  add(source, dumping_command(tool, source, "<dump>"));
  add(source, listing_command(tool, "<dump>"));
  add(target, restoring_command(tool, target, section, "<dump>", "<list without what is ours>"));
}

}  // namespace verdigris
