#include "healthcheck/questions.hpp"

namespace verdigris::questions {

// With '*' our subscription counts as a synchronous standby: clients' commits would wait for the other server.
Findings sync_standby(const CheckContext& context) {
  Findings findings;
  for (Server* server : context.both()) {
    const Result answer =
        server->control().query(Sql("SELECT current_setting('synchronous_standby_names')"), context.deadline);
    const std::string names = answer.one_row(1).text(0);
    if (names.find('*') == std::string::npos && names.find("verdigris_") == std::string::npos) continue;
    findings.push_back(
        fail("slot.sync-standby",
             server->color() + ": synchronous_standby_names is '" + names + "', which includes our stream",
             "Name the standbys one by one (a reload is enough)."));
  }
  if (findings.empty()) findings.push_back(pass("slot.sync-standby", "no commit waits for our streams"));
  return findings;
}

}  // namespace verdigris::questions
