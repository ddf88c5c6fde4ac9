#include "controller/steps/wait_for_quiet_moment.hpp"

#include <algorithm>
#include <thread>

#include "replication/marker.hpp"

namespace verdigris {
namespace {

using std::chrono::milliseconds;

constexpr int kRoundTrips = 5;                  // running, cutover.md "Before the pause" 10
constexpr milliseconds kFast{20};               // the aim
constexpr milliseconds kTolerable{150};         // on a busy machine, once half of the patience is spent
constexpr double kOldestWriterSeconds = 1.0;

}  // namespace

std::string WaitForQuietMoment::describe() const {
  return "wait for fast markers and no old writer on " + source_->color();
}

Readiness WaitForQuietMoment::check(Deadline) { return Ready{}; }

// Nothing if the marker is not there when patience ends.
std::optional<milliseconds> WaitForQuietMoment::round_trip(ApplyWatch& watch, Deadline until, Deadline deadline) {
  const auto begin = std::chrono::steady_clock::now();
  const auto id = write_marker(source_->control(), source_->color(), "quiet", deadline);
  if (!watch.wait_for_marker(id, until, deadline)) return std::nullopt;
  return std::chrono::ceil<milliseconds>(std::chrono::steady_clock::now() - begin);
}

// The session that would hold up the window, described; nothing if there is none. One that the fence will end does not.
std::optional<std::string> WaitForQuietMoment::blocker(Deadline deadline) {
  const auto result = source_->control().query(Sql(R"(
    SELECT a.pid, coalesce(a.usename, ''), coalesce(a.application_name, ''), left(coalesce(a.query, ''), 60),
           extract(epoch FROM clock_timestamp() - a.xact_start)::float8
    FROM pg_stat_activity a
    WHERE a.datname = current_database() AND a.pid <> pg_backend_pid() AND a.xact_start IS NOT NULL
      AND NOT starts_with(coalesce(a.application_name, ''), 'verdigris')
      AND (a.backend_xid IS NOT NULL AND clock_timestamp() - a.xact_start > $1::float8 * interval '1 second'
           OR EXISTS (SELECT FROM pg_locks l JOIN pg_class c ON c.oid = l.relation
                      JOIN pg_namespace n ON n.oid = c.relnamespace
                      WHERE l.pid = a.pid AND l.granted AND c.relkind IN ('r', 'p') AND n.nspname !~ '^pg_'
                        AND l.mode IN ('ShareUpdateExclusiveLock', 'ShareLock', 'ShareRowExclusiveLock',
                                       'ExclusiveLock', 'AccessExclusiveLock')))
    ORDER BY a.xact_start)"),
                                               {std::to_string(kOldestWriterSeconds)}, deadline);
  const auto rows = result.rows(5);
  if (rows.empty()) return std::nullopt;
  const auto ended = bypass_.policy == BypassPolicy::terminate ? bypassing_sessions(*source_, bypass_, deadline)
                                                               : std::vector<ForeignSession>{};
  for (const auto& row : rows) {
    const auto is_it = [&](const ForeignSession& one) { return one.pid == row.integer(0); };
    if (std::ranges::any_of(ended, is_it)) continue;
    return "pid " + std::to_string(row.integer(0)) + " (" + row.text(1) + ", \"" + row.text(2) + "\") in \"" +
           row.text(3) + "\" for " + std::to_string(static_cast<long>(row.real(4))) + " s";
  }
  return std::nullopt;
}

PlannedActs WaitForQuietMoment::statements(Deadline) {
  return {{source_->color(), marker_statement().text(), {"<id>", "quiet", source_->color()}}};
}

std::string WaitForQuietMoment::apply(Deadline deadline) {
  const auto until = Deadline::after(patience_).or_earlier(deadline);
  const auto half = Deadline::after(patience_ / 2);
  ApplyWatch watch(*target_, stream_);
  watch.require_applying(deadline);
  std::string last;
  int running = 0;
  milliseconds slowest{0};
  while (running < kRoundTrips) {
    if (until.has_passed())
      throw DeadlinePassed("no quiet moment on " + source_->color() + " within " + std::to_string(patience_.count()) +
                               " ms: " + last,
                           "Try again when it is over, or end that session.");
    const auto took = round_trip(watch, until, deadline);
    const auto in_the_way = blocker(deadline);
    if (took && *took <= (half.has_passed() ? kTolerable : kFast) && !in_the_way) {
      slowest = std::max(slowest, *took);
      ++running;
      continue;
    }
    last = in_the_way ? *in_the_way
           : took     ? "a marker took " + std::to_string(took->count()) + " ms"
                      : "a marker has not arrived on " + target_->color();
    running = 0;
    slowest = milliseconds{0};
    std::this_thread::sleep_for(milliseconds(20));
  }
  return "marker " + std::to_string(kRoundTrips) + " x <= " + std::to_string(slowest.count()) + " ms, no old writer";
}

}  // namespace verdigris
