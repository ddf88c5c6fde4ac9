#include "healthcheck/checks.hpp"

#include <algorithm>
#include <set>

#include "healthcheck/questions.hpp"

namespace verdigris {
namespace {

// Ids that are asked only while one side follows the other: before that a waiver for them is no mistake.
bool is_asked_later(const CheckContext& context, const std::string& id) {
  static const std::set<std::string> kLater = {"data.columns", "parity.uncovered", "schema.missing-table",
                                               "schema.extra-table", "schema.sequences", "schema.diff",
                                               "roles.login"};
  return (!context.is_following || context.is_preparing) && kLater.contains(id);
}

bool has_failure(const Findings& findings) {
  return std::any_of(findings.begin(), findings.end(), [](const Finding& one) { return one.level == Level::fail; });
}

void add_unused_waivers(const CheckContext& context, Findings& findings) {
  for (const auto& waiver : context.settings.waivers) {
    const bool is_used = std::any_of(findings.begin(), findings.end(), [&](const Finding& finding) {
      return finding.id == waiver.id && finding.level == Level::warn;
    });
    if (!is_used && !is_asked_later(context, waiver.id))
      findings.push_back(fail("waiver.unused",
                              "the waiver for \"" + waiver.id + "\" waives nothing: that rule does not fire",
                              "Remove it from the playbook, so that it does not hide a later failure."));
  }
}

struct Asked {
  Findings findings;
  bool was_cut_short = false;  // a decisive question failed: those after it would only repeat it
};

Asked ask_each(const std::vector<Check>& checks, const CheckContext& context) {
  Asked asked;
  for (const auto& check : checks) {
    Findings found = check.ask(context);
    apply_waivers(context.settings.waivers, found);
    asked.was_cut_short = check.is_decisive && has_failure(found);
    asked.findings.insert(asked.findings.end(), found.begin(), found.end());
    if (asked.was_cut_short) break;
  }
  return asked;
}

}  // namespace

const std::vector<Check>& all_checks() {
  using namespace questions;
  static const std::vector<Check> kChecks = {
      // Who answers
      {"same database", same_database, true},
      {"standby", standby, true},
      {"leftovers", leftovers},
      {"server versions", server_versions},
      {"controller role", controller_role},
      {"replication login", replication_login},
      // What the servers allow
      {"wal_level", wal_level},
      {"limits", limits},
      {"WAL of slots", slot_wal},
      {"durability", durability},
      {"loading", loading},
      {"settings of the apply worker", apply_settings},
      {"owners of tables", table_owners},
      // What else replicates
      {"foreign replication", foreign_replication},
      {"foreign slots", foreign_slots},
      {"groups of tables", table_groups},
      {"synchronous standby names", sync_standby},
      {"missing standbys", missing_standbys},
      {"physical standbys", physical_standbys},
      // Who is connected
      {"slot blockers", slot_blockers},
      {"prepared transactions", prepared_transactions},
      {"bypassing sessions", bypassing_sessions},
      {"replica role", replica_role},
      {"logins", logins},
      // Whether the schema can be carried over
      {"dump tool", dump_tool},
      {"target empty", target_empty},
      {"encoding", encoding},
      {"compression", compression},
      {"extensions", extensions},
      {"event triggers", event_triggers},
      {"replica triggers", replica_triggers},
      {"carried schema", carried_schema},
      {"schema drift", schema_drift},
      // What does not replicate, or not as it is
      {"replica identity", replica_identity},
      {"unlogged tables", unlogged_tables},
      {"extension tables", extension_tables},
      {"large objects", large_objects},
      {"foreign tables", foreign_tables},
      {"physical ids", physical_ids},
      {"generated columns", generated_columns},
      {"sequence headroom", sequence_headroom},
  };
  return kChecks;
}

const std::vector<Check>& checks_before_window() {
  using namespace questions;
  static const std::vector<Check> kChecks = {
      {"loading", loading},
      {"inbound replication", inbound_replication},
      {"missing standbys", missing_standbys},
      {"physical standbys", physical_standbys},
      {"prepared transactions", prepared_transactions},
      {"replica role", replica_role},
      {"logins", logins},
  };
  return kChecks;
}

const std::vector<Check>& checks_of_what_is_carried() {
  using namespace questions;
  static const std::vector<Check> kChecks = {
      {"carried schema", carried_schema},
      {"schema drift", schema_drift},
      {"unlogged tables", unlogged_tables},
      {"extension tables", extension_tables},
      {"large objects", large_objects},
  };
  return kChecks;
}

Findings ask_what_is_carried(const CheckContext& context) {
  return ask_each(checks_of_what_is_carried(), context).findings;
}

Findings ask_before_window(const CheckContext& context) { return ask_each(checks_before_window(), context).findings; }

Findings ask_all(const CheckContext& context) {
  auto [all, was_cut_short] = ask_each(all_checks(), context);
  // Whoever was not asked may be the one that a waiver is for.
  if (!was_cut_short) add_unused_waivers(context, all);
  return all;
}

}  // namespace verdigris
