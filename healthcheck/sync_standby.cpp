#include <regex>

#include "healthcheck/questions.hpp"

namespace verdigris::questions {
namespace {

// "FIRST 2 (a, b, c)", "ANY 1 (*)", "2 (a, b)"; a bare list means one.
int standbys_needed(const std::string& names) {
  if (names.find_first_not_of(' ') == std::string::npos) return 0;
  static const std::regex kNumber(R"(^\s*(?:(?:first|any)\s+)?(\d+)\s*\()", std::regex::icase);
  std::smatch found;
  return std::regex_search(names, found, kNumber) ? std::stoi(found[1]) : 1;
}

std::string names_on(Server& server, Deadline deadline) {
  return server.control()
      .query(Sql("SELECT current_setting('synchronous_standby_names')"), deadline)
      .one_row(1)
      .text(0);
}

}  // namespace

// With '*' our subscription counts as a synchronous standby: clients' commits would wait for the other server.
Findings sync_standby(const CheckContext& context) {
  Findings findings;
  for (Server* server : context.both()) {
    const std::string names = names_on(*server, context.deadline);
    if (names.find('*') == std::string::npos && names.find("verdigris_") == std::string::npos) continue;
    findings.push_back(
        fail("slot.sync-standby",
             server->color() + ": synchronous_standby_names is '" + names + "', which includes our stream",
             "Name the standbys one by one (a reload is enough)."));
  }
  if (findings.empty()) findings.push_back(pass("slot.sync-standby", "no commit waits for our streams"));
  return findings;
}

// A commit that waits for one that is away hangs, whatever statement_timeout says; ours would in the window (faults P32).
Findings missing_standbys(const CheckContext& context) {
  Findings findings;
  for (Server* server : context.both()) {
    const std::string names = names_on(*server, context.deadline);
    const int needed = standbys_needed(names);
    const auto there = server->control()
                           .query(Sql(R"(SELECT count(*) FROM pg_stat_replication
                                         WHERE sync_state IN ('sync', 'quorum') AND state = 'streaming')"),
                                  context.deadline)
                           .one_row(1)
                           .integer(0);
    if (there >= needed) continue;
    findings.push_back(fail("slot.sync-missing",
                            server->color() + ": " + std::to_string(there) + " of " + std::to_string(needed) +
                                " synchronous standbys are connected (synchronous_standby_names '" + names +
                                "'), and every commit waits for them",
                            "Bring the standby back, or take it out of synchronous_standby_names (a reload is enough)."));
  }
  if (findings.empty()) findings.push_back(pass("slot.sync-missing", "no commit waits for a standby that is away"));
  return findings;
}

}  // namespace verdigris::questions
