// What an instance would do, for people: its file as a diff, its commands as they would be said.
#include "controller/ini_file.hpp"
#include "controller/pgbouncer_instance.hpp"
#include "controller/unified_diff.hpp"

namespace verdigris {

PlannedActs PgBouncerInstance::file_changes(const Endpoint& target, Deadline deadline) {
  identify(deadline);
  const auto change = files_.change_to(target);
  const std::string text = unified_diff(change.file, change.before, change.after);
  if (text.empty()) return {};
  return {{.on = "pooler " + settings_.name, .text = text, .is_diff = true}};
}

PlannedActs PgBouncerInstance::pause_commands() const {
  PlannedActs out;
  for (const auto& alias : aliases_) out.push_back({"pooler " + settings_.name, pause_command(alias).text()});
  return out;
}

PlannedActs PgBouncerInstance::move_commands(Deadline deadline) {
  const std::string on = "pooler " + settings_.name;
  const std::string retry = configured_login_retry(control(deadline), deadline);
  PlannedActs out{{on, reload_command().text()}, {on, set_command(kLoginRetry, "0").text()}};
  for (const auto& alias : aliases_) out.push_back({on, resume_command(alias).text()});
  out.push_back({on, set_command(kLoginRetry, retry).text()});
  return out;
}

}  // namespace verdigris
