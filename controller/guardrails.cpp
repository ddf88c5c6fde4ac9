#include "controller/guardrails.hpp"

#include <cstdlib>

#include "controller/pgbouncer_console.hpp"
#include "controller/prepared_groups.hpp"
#include "controller/provision/provisioned_green.hpp"
#include "healthcheck/checks.hpp"
#include "healthcheck/questions.hpp"
#include "healthcheck/report.hpp"
#include "replication/full_verification.hpp"
#include "replication/schema.hpp"

namespace verdigris {
namespace {

// The newest pg_dump at hand, as the checks know it.
std::optional<DumpTool> newest_pg_dump(Deployment& d) {
  const auto found = dump_tools({d.tools(), tool_directories({})}, Deadline::after(std::chrono::seconds(20)));
  if (found.empty()) return std::nullopt;
  const auto& newest = found.back();
  const auto dot = newest.version.find('.');
  const int minor = dot == std::string::npos ? 0 : std::atoi(newest.version.c_str() + dot + 1);
  return DumpTool{(newest.directory / "pg_dump").string(), newest.major * 10000 + minor};
}

// Whoever may not look there learns it from the servers' settings.
bool is_target_loading(const Deployment& d) {
  if (!d.playbook().provision.is_initdb()) return false;
  try {
    return ProvisionedGreen(d.playbook(), d.tools(), nullptr).is_loading();
  } catch (const Error&) {
    return false;
  }
}

}  // namespace

// Readers that are on green have none on blue: a number of theirs would excuse somebody else there.
std::vector<int> pooler_backends(Deployment& d, Deadline deadline) {
  const auto& pooler = d.playbook().pooler;
  const auto names = d.standing().are_reads_ahead ? pooler.databases : pooler.all_names();
  std::vector<int> pids;
  for (const auto& instance : pooler.instances) {
    try {
      auto console = PgBouncerConsole::open(instance.name, instance.admin, deadline);
      for (const auto& alias : names)
        for (const auto& session : console.sessions(alias, deadline)) pids.push_back(session.backend_pid);
    } catch (const Error&) {
      continue;
    }
  }
  return pids;
}

std::vector<std::string> our_roles(const Deployment& d) {
  auto roles = d.roles_to_keep("blue");
  for (auto& role : d.roles_to_keep("green")) roles.push_back(role);
  return roles;
}

CheckSettings crossing_settings(const Deployment& d) {
  const auto& playbook = d.playbook();
  CheckSettings settings{.deployment = d.name(),
                         .tables = {playbook.replication.include, playbook.replication.exclude},
                         .our_roles = our_roles(d)};
  settings.promotable = playbook.cutover.promotable;
  settings.away_slots = playbook.cutover.away_slots;
  for (const auto& waiver : playbook.waivers) settings.waivers.push_back({waiver.id, waiver.reason});
  return settings;
}

CheckSettings check_settings(Deployment& d) {
  const auto& playbook = d.playbook();
  CheckSettings settings = crossing_settings(d);
  settings.makes_identities = playbook.replication.identity == IdentityMode::automatic;
  settings.dumps_schema = playbook.replication.schema == SchemaMode::dump;
  settings.needs_reverse = playbook.replication.reverse == ReverseMode::required;
  settings.copy_workers = playbook.replication.copy_workers;
  settings.groups = wanted_groups(d);
  settings.max_slot_wal_bytes = playbook.replication.max_slot_wal_bytes;
  settings.to_blue = playbook.replication.to_blue;
  settings.to_green = playbook.replication.to_green;
  settings.pg_dump = newest_pg_dump(d);
  settings.is_target_copy = playbook.provision.is_physical();
  settings.is_target_ours = playbook.provision.is_initdb();
  settings.is_target_loading = is_target_loading(d);
  settings.ends_sessions = playbook.fence.bypass == BypassPolicy::terminate;
  settings.pooler_backends = pooler_backends(d, Deadline::after(std::chrono::seconds(10)));
  return settings;
}

Findings ask_guardrails(Deployment& d, bool is_prepared, AskedBy by, Deadline deadline) {
  const CheckSettings settings = check_settings(d);
  const Standing standing = d.standing();
  const bool is_following = standing.phase == Phase::ready && !standing.open;
  return ask_all(CheckContext{d.blue(), d.green(), settings, is_prepared, deadline, is_following, by == AskedBy::prepare});
}

void require_commits_return(Deployment& d, Deadline deadline) {
  const CheckSettings settings = crossing_settings(d);
  auto findings = questions::missing_standbys({d.blue(), d.green(), settings, true, deadline});
  apply_waivers(settings.waivers, findings);
  for (const auto& finding : findings)
    if (finding.level == Level::fail) throw Refused(finding.id, finding.text, finding.hint);
}

// No waiver helps: there is always a way to end it.
void require_not_loading(Deployment& d, Deadline deadline) {
  const CheckSettings settings{.deployment = d.name()};
  for (const auto& finding : questions::loading({d.blue(), d.green(), settings, false, deadline}))
    if (finding.level == Level::fail) throw Refused(finding.id, finding.text, finding.hint);
}

void require_verified(Deployment& d, Deadline deadline) {
  if (!lacks_full_verification(d.green().control(), d.name(), deadline)) return;
  throw Refused("verify.required", "green: it is a copy of blue's files, and its rows have not been compared with blue's since",
                "Run verdigris verify --mode full; when it is equal, repeat the command.");
}

void require_two_primaries(Deployment& d, Deadline deadline) {
  const CheckSettings settings{.deployment = d.name(), .is_target_copy = d.playbook().provision.is_physical()};
  for (const auto& check : all_checks()) {
    if (!check.is_decisive) continue;
    for (const auto& finding : check.ask({d.blue(), d.green(), settings, false, deadline}))
      if (finding.level == Level::fail) throw Refused(finding.id, finding.text, finding.hint);
  }
}

void require_all_is_carried(Deployment& d) {
  const CheckSettings settings = crossing_settings(d);
  const auto deadline = Deadline::after(std::chrono::seconds(60));
  for (const auto& finding : ask_what_is_carried({d.blue(), d.green(), settings, true, deadline, true}))
    if (finding.level == Level::fail)
      throw Refused(finding.id, "green follows blue, but a switch would be refused: " + finding.text, finding.hint);
}

void require_guardrails(Deployment& d, bool is_prepared, Output& output) {
  const Finding* first = nullptr;
  const auto findings = ask_guardrails(d, is_prepared, AskedBy::prepare, Deadline::after(std::chrono::seconds(120)));
  for (const auto& finding : findings) {
    const bool is_waived = finding.text.find(" (waived: ") != std::string::npos;  // known already; check shows it
    if (finding.level == Level::warn && is_waived) output.detail(finding.id + ": " + finding.text);
    if (finding.level == Level::warn && !is_waived) output.warning(finding.id + ": " + finding.text, finding.hint);
    if (finding.level != Level::fail) continue;
    output.note("FAIL  " + finding.id + ": " + finding.text);
    if (first == nullptr) first = &finding;
  }
  if (first != nullptr) throw Refused(first->id, first->text, first->hint);
}

}  // namespace verdigris
