#include "healthcheck/parity/align.hpp"

#include <algorithm>
#include <chrono>
#include <thread>

#include "replication/marker.hpp"

namespace verdigris {
namespace {

using std::chrono::milliseconds;

constexpr milliseconds kCloseEnough{1000};  // a target further behind is not stopped at a marker: it has to catch up
constexpr milliseconds kLongestWay{1500};   // of a marker; below the two seconds after which the locker's session ends itself
constexpr milliseconds kLongestHold{50};
constexpr milliseconds kFirstRest{20}, kLongestRest{1000};  // between trials: apply catches up meanwhile
const char* const kLockNotAvailable = "55P03";

void roll_back(Connection& session) {
  if (!session.is_open()) return;
  try {
    session.execute(Sql("ROLLBACK"), Deadline::after(milliseconds{5000}));
  } catch (const std::exception&) {
    session.close();
  }
}

}  // namespace

ApplyAtMarker apply_at_marker(Connection& watcher, const Streams& streams, Deadline deadline) {
  std::vector<Sql> each;
  for (const auto& stream : streams)
    each.push_back(Sql(R"(SELECT EXISTS (SELECT FROM pg_locks
                   WHERE relation = {}::regclass AND NOT granted AND pid =
                     (SELECT pid FROM pg_stat_subscription WHERE subname = {} AND relid IS NULL{})) AS waits)",
                       Literal(stream.marker().sql()), Literal(stream.name),
                       watcher.major() >= 16 ? Sql(" AND leader_pid IS NULL") : Sql("")));
  const Result answer =
      watcher.query(Sql("SELECT bool_or(waits), bool_and(waits) FROM ({}) AS streams", Sql::joined(each, " UNION ALL ")), deadline);
  const Row row = answer.one_row(2);
  return {row.boolean(0), row.boolean(1)};
}

Aligner::Aligner(Server& source, Server& target, const Streams& streams, Deadline deadline)
    : source_(source),
      target_(target),
      streams_(streams),
      source_snapshot_(source.open("snapshot", deadline)),
      flusher_(source.open("flush", deadline)),
      target_snapshot_(target.open("snapshot", deadline)),
      watcher_(target.open("watch", deadline)) {}

double Holds::longest() const { return ms.empty() ? 0 : *std::ranges::max_element(ms); }

double Holds::percentile(double share) const {
  if (ms.empty()) return 0;
  auto sorted = ms;
  std::ranges::sort(sorted);
  return sorted[std::min(sorted.size() - 1, static_cast<std::size_t>(share * static_cast<double>(sorted.size())))];
}

SnapshotPair Aligner::make(Deadline deadline) {
  for (auto rest = kFirstRest;; rest = std::min(2 * rest, kLongestRest)) {
    if (const auto idle = stream_without_worker(deadline))
      throw Refused("stream.stopped",
                    target_.color() + ": no apply worker runs for subscription \"" + *idle + "\"",
                    "Look into that server's log; nothing can be compared while the stream stands still.");
    if (wait_until_close(deadline))
      if (auto pair = try_once(deadline)) return *pair;
    release();
    if (deadline.has_passed())
      throw DeadlinePassed(target_.color() + ": did not come close enough to " + source_.color() + " in time",
                           "Wait until the target has caught up, or give a longer --timeout.");
    std::this_thread::sleep_for(rest);
  }
}

void Aligner::release() {
  roll_back(source_snapshot_);
  roll_back(target_snapshot_);
  if (!source_snapshot_.is_open()) source_snapshot_ = source_.open("snapshot", Deadline::after(milliseconds{5000}));
  if (!target_snapshot_.is_open()) target_snapshot_ = target_.open("snapshot", Deadline::after(milliseconds{5000}));
}

std::optional<std::string> Aligner::stream_without_worker(Deadline deadline) {
  const Result answer = watcher_.query(
      Sql(R"(
      SELECT n FROM unnest($1::text[]) AS n WHERE NOT EXISTS (
        SELECT FROM pg_stat_subscription WHERE subname = n AND relid IS NULL AND pid IS NOT NULL) LIMIT 1)"),
      {text_array(streams_.name_list())}, deadline);
  const auto row = answer.at_most_one_row(1);
  return row ? std::optional(row->text(0)) : std::nullopt;
}

// A marker travels in less than a second.
bool Aligner::wait_until_close(Deadline deadline) {
  const auto id = write_marker_with_sequences(flusher_, source_.color(), "distance", deadline);
  const Deadline close = Deadline::after(kCloseEnough).or_earlier(deadline);
  while (!marker_arrived(watcher_, streams_, id, deadline)) {
    if (close.has_passed()) return false;
    std::this_thread::sleep_for(milliseconds{1});
  }
  return true;
}

std::optional<SnapshotPair> Aligner::try_once(Deadline deadline) {
  if (!lock_marker(deadline)) return std::nullopt;
  const Deadline arrival = Deadline::after(kLongestWay).or_earlier(deadline);
  SnapshotPair pair;
  bool is_made = false;
  try {
    pair.source = take_source_snapshot(pair.position, deadline);
    const Stop stop = wait_for_apply_at_marker(arrival);
    if (stop.is_complete && Clock::now() - *stop.since < kLongestHold) {
      take_target_snapshot(pair, deadline);
      is_made = true;
    }
    // A lock that was lost on the way had let apply go on before the snapshot.
    is_made = unlock_marker() && is_made;
    if (stop.since) {
      holds_.ms.push_back(std::chrono::duration<double, std::milli>(Clock::now() - *stop.since).count());
      holds_.given_up += is_made ? 0 : 1;
    }
  } catch (...) {
    unlock_marker();
    throw;
  }
  if (!is_made) return std::nullopt;
  return pair;
}

// One round trip: apply waits for it.
void Aligner::take_target_snapshot(SnapshotPair& pair, Deadline deadline) {
  pair.target = target_snapshot_
                    .query(Sql("BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY; SELECT pg_export_snapshot()"), deadline)
                    .one_row(1)
                    .text(0);
}

bool Aligner::lock_marker(Deadline deadline) {
  std::vector<QualifiedName> markers;
  for (const auto& stream : streams_) markers.push_back(stream.marker());
  if (!locker_ || !locker_->is_open()) locker_.emplace(target_.open("align", deadline));
  try {
    locker_->execute(Sql(R"(
      BEGIN;
      SET LOCAL lock_timeout = '500ms';
      SET LOCAL idle_in_transaction_session_timeout = '2s';
      LOCK TABLE {} IN SHARE MODE)",
                          Sql::joined(markers, ", ")),
                      deadline);
    return true;
  } catch (const ServerError& error) {
    roll_back(*locker_);
    if (error.sqlstate() == kLockNotAvailable) return false;
    throw;
  }
}

// One string, so that no round trip lies between the marker's commit and the snapshot; asynchronously, because waiting
// for the disk is what would make the two differ. A commit of another session flushes it: only flushed WAL is decoded.
std::string Aligner::take_source_snapshot(Lsn& position, Deadline deadline) {
  const Result answer = source_snapshot_.query(Sql(R"(
      BEGIN;
      SET LOCAL synchronous_commit = off;
      INSERT INTO verdigris.marker (id, kind, side) VALUES ({}, 'align', {});
      COMMIT;
      BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY;
      SELECT pg_export_snapshot(), pg_current_wal_insert_lsn())",
                                                   Number(new_marker_id(source_.color())), Literal(source_.color())),
                                               deadline);
  const Row row = answer.one_row(2);
  position = row.lsn(1);
  flusher_.execute(Sql("SELECT pg_logical_emit_message(true, 'verdigris', 'flush')"), deadline);
  return row.text(0);
}

// Each stream's worker must wait: one that still comes would go on under the snapshot.
Aligner::Stop Aligner::wait_for_apply_at_marker(Deadline deadline) {
  Stop stop;
  for (;;) {
    const auto apply = apply_at_marker(watcher_, streams_, deadline);
    if (apply.is_any && !stop.since) stop.since = Clock::now();
    stop.is_complete = apply.is_all;
    if (stop.is_complete || deadline.has_passed() || (stop.since && Clock::now() - *stop.since > kLongestHold)) return stop;
    std::this_thread::sleep_for(milliseconds{1});
  }
}

bool Aligner::unlock_marker() {
  roll_back(*locker_);
  return locker_->is_open();
}

}  // namespace verdigris
