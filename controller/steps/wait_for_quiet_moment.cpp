#include "controller/steps/wait_for_quiet_moment.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <thread>

#include "controller/gate.hpp"
#include "replication/lock_holders.hpp"
#include "replication/marker.hpp"

namespace verdigris {
namespace {

using std::chrono::milliseconds;

constexpr int kRoundTrips = 5;                  // running, cutover.md "Before the pause" 10
constexpr milliseconds kFast{20};               // the aim
constexpr milliseconds kTolerable{150};         // on a busy machine, once half of the patience is spent
constexpr double kOldestWriterSeconds = 1.0;

bool is_among(const std::vector<int>& pids, int pid) {
  return std::ranges::find(pids, pid) != pids.end();
}

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

// By the fence, or right before clients are held because their transactions are old.
std::vector<int> WaitForQuietMoment::those_that_are_ended(Deadline deadline) {
  std::vector<int> pids;
  if (bypass_.policy == BypassPolicy::terminate)
    for (const auto& one : bypassing_sessions(*source_, bypass_, deadline)) pids.push_back(one.pid);
  if (watch_->ender() != nullptr)
    for (const auto& one : watch_->ender()->to_be_ended(deadline)) pids.push_back(one.pid);
  return pids;
}

// What would hold up the window, described; nothing if there is nothing. A session that will be ended does not.
std::optional<std::string> WaitForQuietMoment::blocker(Deadline deadline) {
  if (const auto red = watch_->obstacle()) throw NotYet(*red);
  const auto ended = those_that_are_ended(deadline);
  auto found = old_writer(ended, deadline);
  if (!found) found = lock_holder(ended, deadline);
  if (found) return found;
  // Markers pass by a lock on a table that they do not write to: the rows of clients would not.
  const auto there = apply_lock_holders(target_->control(), deadline);
  if (there.empty()) return std::nullopt;
  return target_->color() + ": " + there.front().describe() + " keeps rows from being applied";
}

std::optional<std::string> WaitForQuietMoment::old_writer(const std::vector<int>& ended, Deadline deadline) {
  const auto result = source_->control().query(Sql(R"(
    SELECT a.pid, coalesce(a.usename, ''), coalesce(a.application_name, ''), left(coalesce(a.query, ''), 60),
           extract(epoch FROM clock_timestamp() - a.xact_start)::float8
    FROM pg_stat_activity a
    WHERE a.datname = current_database() AND a.pid <> pg_backend_pid() AND a.xact_start IS NOT NULL
      AND NOT starts_with(coalesce(a.application_name, ''), 'verdigris') AND a.backend_type <> 'autovacuum worker'
      AND a.backend_xid IS NOT NULL AND clock_timestamp() - a.xact_start > $1::float8 * interval '1 second'
    ORDER BY a.xact_start)"),
                                               {std::to_string(kOldestWriterSeconds)}, deadline);
  for (const auto& row : result.rows(5)) {
    if (is_among(ended, static_cast<int>(row.integer(0)))) continue;
    return "pid " + std::to_string(row.integer(0)) + " (" + row.text(1) + ", \"" + row.text(2) + "\") in \"" +
           row.text(3) + "\" for " + std::to_string(static_cast<long>(row.real(4))) + " s";
  }
  return std::nullopt;
}

// Autovacuum that gives way is told to now, while nobody waits for it.
std::optional<std::string> WaitForQuietMoment::lock_holder(const std::vector<int>& ended, Deadline deadline) {
  auto holders = fence_lock_holders(source_->control(), Writers::do_not_count, deadline);
  if (autovacuum_ == AutovacuumPolicy::cancel) cancel_those_that_give_way(source_->control(), holders, deadline);
  std::erase_if(holders, [&](const LockHolder& one) { return is_among(ended, one.pid); });
  if (holders.empty()) return std::nullopt;
  return holders.front().describe();
}

PlannedActs WaitForQuietMoment::statements(Deadline) {
  PlannedActs out{{source_->color(), marker_statement().text(), {"<id>", "quiet", source_->color()}}};
  if (autovacuum_ == AutovacuumPolicy::cancel)
    out.push_back({source_->color(), cancel_statement().text(), {"<pid of each autovacuum worker that holds a table, here or at the fence>"}});
  return out;
}

std::string WaitForQuietMoment::apply(Deadline deadline) {
  const auto until = Deadline::after(patience_).or_earlier(deadline);
  const auto half = Deadline::after(patience_ / 2);
  ApplyWatch watch(*target_, streams_);
  watch.require_applying(deadline);
  std::string last;
  int running = 0;
  milliseconds slowest{0};
  while (running < kRoundTrips) {
    if (until.has_passed())
      throw DeadlinePassed("no quiet moment on " + source_->color() + " within " + std::to_string(patience_.count()) +
                               " ms: " + (last.empty() ? "it was quiet, but not for long enough" : last),
                           "Try again when it is over, or end that session.");
    std::optional<milliseconds> took;
    std::optional<std::string> in_the_way;
    try {
      took = round_trip(watch, until, deadline);
      in_the_way = blocker(deadline);
    } catch (const DeadlinePassed& error) {
      // What has been in the way says more than which question time ended at.
      if (last.empty() || !until.has_passed()) throw;
      last += fmt::format("; {}", error.what());
      continue;
    }
    if (took && *took <= (half.has_passed() ? kTolerable : kFast) && !in_the_way) {
      slowest = std::max(slowest, *took);
      last.clear();
      ++running;
      continue;
    }
    last = in_the_way ? *in_the_way
           : took     ? "a marker took " + std::to_string(took->count()) + " ms"
                      : "a marker has not arrived on " + target_->color();
    running = 0;
    slowest = milliseconds{0};
    watch_->look();
    std::this_thread::sleep_for(milliseconds(20));
  }
  return "marker " + std::to_string(kRoundTrips) + " x <= " + std::to_string(slowest.count()) + " ms, no old writer";
}

}  // namespace verdigris
