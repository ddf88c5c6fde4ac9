#include "controller/lease.hpp"

#include <algorithm>
#include <thread>

namespace verdigris {
namespace {

// The two halves of the key as pg_locks shows it, for advisory locks of one bigint.
constexpr auto kHeld = BasicSqlText<>(R"(
  SELECT l.pid, coalesce(a.application_name, ''), coalesce(host(a.client_addr), 'local'),
         coalesce(extract(epoch FROM clock_timestamp() - a.backend_start), 0)::float8
  FROM pg_locks l LEFT JOIN pg_stat_activity a USING (pid)
  WHERE l.locktype = 'advisory' AND l.granted AND l.objsubid = 1
    AND l.database = (SELECT oid FROM pg_database WHERE datname = current_database())
    AND (l.classid::bigint << 32 | l.objid::bigint) = hashtextextended('verdigris:' || $1, 0))");

bool try_lock(Connection& control, const std::string& deployment, Deadline deadline) {
  return control
      .query(Sql("SELECT pg_try_advisory_lock(hashtextextended('verdigris:' || $1, 0))"), {deployment}, deadline)
      .one_row(1)
      .boolean(0);
}

void end_session(Connection& control, const LeaseHolder& holder, Deadline deadline) {
  control.query(Sql("SELECT pg_terminate_backend($1::int)"), {std::to_string(holder.pid)}, deadline);
}

[[noreturn]] void throw_held(Connection& control, const std::string& deployment, Deadline deadline) {
  const auto holder = lease_holder(control, deployment, deadline);
  throw Error("lease.held",
              control.server() + ": another controller works on \"" + deployment +
                  "\": " + (holder ? holder->describe() : "a session that has just ended"),
              "Wait for it. If it does not move (stopped, a host that hangs): verdigris recover --take-over", Failure::busy);
}

}  // namespace

std::string LeaseHolder::describe() const {
  return "pid " + std::to_string(pid) + ", \"" + application + "\" from " + address + ", for " +
         std::to_string(static_cast<long>(seconds)) + " s";
}

std::optional<LeaseHolder> end_lease_holder(Connection& control, const std::string& deployment, Deadline deadline) {
  auto holder = lease_holder(control, deployment, deadline);
  if (!holder || holder->pid == control.backend_pid()) return std::nullopt;
  end_session(control, *holder, deadline);
  return holder;
}

std::optional<LeaseHolder> lease_holder(Connection& on, const std::string& deployment, Deadline deadline) {
  const auto result = on.query(Sql(kHeld), {deployment}, deadline);
  const auto rows = result.rows(4);
  if (rows.empty()) return std::nullopt;
  const auto& row = rows.front();
  return LeaseHolder{static_cast<int>(row.integer(0)), row.text(1), row.text(2), row.real(3)};
}

bool holds_lease(Connection& control, const std::string& deployment, Deadline deadline) {
  const auto holder = lease_holder(control, deployment, deadline);
  return holder && holder->pid == control.backend_pid();
}

void acquire_lease(Connection& control, const std::string& deployment, std::chrono::milliseconds patience,
                   Deadline deadline, const std::vector<int>& former) {
  if (holds_lease(control, deployment, deadline)) return;
  const auto until = Deadline::after(patience).or_earlier(deadline);
  while (!try_lock(control, deployment, deadline)) {
    const auto holder = former.empty() ? std::nullopt : lease_holder(control, deployment, deadline);
    const bool is_own = holder && std::ranges::find(former, holder->pid) != former.end();
    if (is_own) end_session(control, *holder, deadline);
    if (until.has_passed() && is_own)
      throw Error("lease.own-session",
                  control.server() + ": our own earlier session, pid " + std::to_string(holder->pid) + ", hangs and does not end",
                  "Look what it waits for: a disk that does not answer, or a synchronous standby.", Failure::timed_out);
    if (until.has_passed()) throw_held(control, deployment, deadline);
    std::this_thread::sleep_for(std::chrono::milliseconds(20));
  }
}

}  // namespace verdigris
