#include "replication/source_load.hpp"

#include "replication/poll.hpp"

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
  return {};
}

std::chrono::milliseconds CommitProbe::measure(const Server& on, std::chrono::milliseconds patience, Deadline deadline) {
  using Clock = std::chrono::steady_clock;
  try {
    if (!began_) {
      if (!session_ || !session_->is_open()) session_.emplace(on.open("commit", deadline));
      began_ = Clock::now();
      session_->send(empty_commit_statement(), deadline);
    }
    const bool is_over = wait_until(Deadline::after(patience).or_earlier(deadline), [&] { return session_->has_answer(); });
    const auto took = std::chrono::duration_cast<std::chrono::milliseconds>(Clock::now() - *began_);
    if (is_over) {
      session_->receive(deadline);
      began_.reset();
    }
    return took;
  } catch (...) {
    session_.reset();
    began_.reset();
    throw;
  }
}

}  // namespace verdigris
