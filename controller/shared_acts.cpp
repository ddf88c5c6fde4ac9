#include "controller/shared_acts.hpp"

#include <fmt/format.h>

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

namespace {

PlannedAct program(const Server& on, const std::vector<std::string>& argv) {
  return {.on = on.color(), .text = command_line(argv), .is_program = true};
}

}  // namespace

void add_programs(PlannedActs& out, const SchemaDumpTool& tool, Server& source, Server& target, SchemaSection section) {
  out.push_back(program(source, dumping_command(tool, source, "<dump>")));
  out.push_back(program(source, listing_command(tool, "<dump>")));
  out.push_back(program(target, restoring_command(tool, target, section, "<dump>", "<list without what is ours>")));
}

void add_post_data_programs(PlannedActs& out, const SchemaDumpTool& tool, Server& source, Server& target, int workers,
                            const PlannedAct& noted) {
  constexpr SchemaSection kSection = SchemaSection::post_data;
  const auto printing = [&](const char* list, const std::string& then) {
    auto act = program(source, printing_command(tool, kSection, "<dump>", list));
    act.text += "  # " + then;
    out.push_back(std::move(act));
  };
  auto dumping = program(source, dumping_command(tool, source, "<dump>"));
  dumping.text += fmt::format("  # unless the dump of section pre-data is younger than {} s", SchemaDumps::kYoung.count());
  out.push_back(std::move(dumping));
  out.push_back(program(source, listing_command(tool, kSection, "<dump>")));
  printing("<list of indexes and constraints>",
           fmt::format("sent to {} one by one, {} at once, but what is there", target.color(), workers));
  printing("<list of the rest without what is ours>",
           fmt::format("sent to {} in one transaction with the next statement", target.color()));
  out.push_back(noted);
}

}  // namespace verdigris
