#include "replication/source_load.hpp"

#include <chrono>

namespace verdigris {
namespace {

std::string milliseconds_text(std::int64_t count) { return std::to_string(count) + " ms"; }

}  // namespace

Sql empty_commit_statement() { return Sql("SELECT pg_catalog.pg_logical_emit_message(true, 'verdigris', '')"); }

std::string passed_limit(Connection& on, const LoadLimits& limits, Deadline deadline) {
  if (limits.active_sessions > 0 || limits.standby_lag.count() > 0) {
    const Result answer = on.query(Sql(R"(
      SELECT (SELECT count(*) FROM pg_catalog.pg_stat_activity
              WHERE state = 'active' AND backend_type = 'client backend' AND application_name !~ '^verdigris/'),
             (SELECT coalesce(max(extract(epoch FROM r.replay_lag) * 1000), 0)::int8 FROM pg_catalog.pg_stat_replication r
              WHERE NOT EXISTS (SELECT FROM pg_catalog.pg_replication_slots s
                                WHERE s.active_pid = r.pid AND s.slot_type = 'logical')))"),
                                   deadline);
    const Row row = answer.one_row(2);
    const auto active = row.integer(0), lag = row.integer(1);
    if (limits.active_sessions > 0 && active > limits.active_sessions)
      return on.server() + " has " + std::to_string(active) + " active sessions, " +
             std::to_string(limits.active_sessions) + " are allowed";
    if (limits.standby_lag.count() > 0 && lag > limits.standby_lag.count())
      return "a standby of " + on.server() + " is " + milliseconds_text(lag) + " behind, " +
             milliseconds_text(limits.standby_lag.count()) + " are allowed";
  }
  if (limits.commit.count() == 0) return {};
  const auto began = std::chrono::steady_clock::now();
  on.query(empty_commit_statement(), deadline);
  const auto took = std::chrono::duration_cast<std::chrono::milliseconds>(std::chrono::steady_clock::now() - began);
  if (took <= limits.commit) return {};
  return "a commit on " + on.server() + " takes " + milliseconds_text(took.count()) + ", " +
         milliseconds_text(limits.commit.count()) + " are allowed";
}

}  // namespace verdigris
