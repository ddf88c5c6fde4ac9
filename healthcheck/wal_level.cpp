#include "healthcheck/questions.hpp"

namespace verdigris::questions {

// On green too: the way back starts there.
Findings wal_level(const CheckContext& context) {
  Findings findings;
  for (Server* server : context.both()) {
    if (server == &context.target && (!context.settings.needs_reverse || context.settings.is_target_loading)) continue;
    const Result answer = server->control().query(Sql("SELECT current_setting('wal_level')"), context.deadline);
    const std::string level = answer.one_row(1).text(0);
    if (level != "logical")
      findings.push_back(fail("limits.wal-level", server->color() + ": wal_level is " + level,
                              "Set wal_level = logical in its postgresql.conf and restart it."));
  }
  const bool is_later = context.settings.is_target_loading;
  if (findings.empty())
    findings.push_back(pass("limits.wal-level", is_later ? "logical on blue, and on green after its load" : "logical on both sides"));
  return findings;
}

}  // namespace verdigris::questions
