#include "controller/steps/leave_load_profile.hpp"

#include "controller/shared_acts.hpp"
#include "controller/steps/begin_loading.hpp"
#include "replication/control_schema.hpp"
#include "replication/test_switches.hpp"

namespace verdigris {
namespace {

// What a server must not serve with, whatever file says so; a stream needs a sender and a slot on each side.
constexpr auto kNotForGood = BasicSqlText<>(R"(
  SELECT coalesce(string_agg(name || ' is ' || setting, ', ' ORDER BY name), '') FROM pg_settings
  WHERE (name, setting) IN (('fsync', 'off'), ('full_page_writes', 'off'), ('autovacuum', 'off'))
     OR name = 'wal_level' AND setting <> 'logical'
     OR name IN ('max_wal_senders', 'max_replication_slots') AND setting::int < 2)");

}  // namespace

std::string LeaveLoadProfile::describe() const {
  return "make " + target_->color() + " durable and restart it with its settings for good";
}

Readiness LeaveLoadProfile::check(Deadline deadline) {
  if (!green_->is_loading() && !is_noted_as_loading(*source_, deadline) && !is_noted_as_loading(*target_, deadline))
    return Done{};
  return Ready{};
}

PlannedActs LeaveLoadProfile::statements(Deadline /*deadline*/) {
  const std::string there = target_->color(), directory = green_->path().string();
  const auto program = [&](const std::string& text) {
    return PlannedAct{.on = there, .text = text, .is_program = true};
  };
  return {{there, "CHECKPOINT"},
          program("pg_ctl stop -D " + directory + " -m fast"),
          program("initdb --sync-only -D " + directory),
          program("pg_ctl start -D " + directory + "  # without the load profile, with the logins for good"),
          forgetting(*target_, kLoadingKey),
          forgetting(*source_, kLoadingKey)};
}

void LeaveLoadProfile::restart(Deadline deadline) {
  if (!green_->is_same_server(target_->control(), deadline))
    throw Refused("provision.other-server",
                  target_->color() + ": the server that answers is not the one in " + green_->path().string() +
                      ", so that one was not restarted",
                  "Compare clusters.green and provision.data_directory of the playbook, then repeat the command.");
  if (progress_) progress_("writing all that was copied to the disk, then restarting " + target_->color());
  target_->control().execute(Sql("CHECKPOINT"), deadline);
  if (progress_) progress_("stopping " + target_->color());
  target_->control().close();
  green_->restart_for_good(deadline);
  reopen_(deadline);
}

void LeaveLoadProfile::require_settings_for_good(Deadline deadline) {
  const Result answer = target_->control().query(Sql(kNotForGood), deadline);
  const std::string wrong = answer.one_row(1).text(0);
  if (wrong.empty()) return;
  throw Error("provision.settings",
              target_->color() + ": after its load it still runs with settings that it must not serve with: " + wrong,
              "Look for what sets them (SELECT sourcefile FROM pg_settings; postgresql.auto.conf), mend it, and repeat "
              "the command.");
}

// The marker in the directory first: a green of which somebody still says that it is loading is never thrown away by
// it.
std::string LeaveLoadProfile::apply(Deadline deadline) {
  if (green_->is_loading()) restart(deadline);
  require_settings_for_good(deadline);
  green_->settle();
  crash_point("provision:settled");
  for (Server* side : {&*target_, &*source_}) forget_value(side->control(), side->deployment(), kLoadingKey, deadline);
  return target_->color() + " is on disk and runs with its settings for good";
}

}  // namespace verdigris
