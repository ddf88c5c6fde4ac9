#include "replication/copy/copy_locks.hpp"

#include "replication/copy/relay.hpp"
#include "replication/copy/snapshot.hpp"
#include "replication/lock_retry.hpp"
#include "replication/test_switches.hpp"

namespace verdigris {
namespace {

constexpr std::chrono::milliseconds kAnswer{30'000};

std::vector<int> pids_in(std::string_view list) {  // "17,18"
  std::vector<int> pids;
  int pid = 0;
  for (const char c : list) {
    if (c != ',') {
      pid = pid * 10 + (c - '0');
      continue;
    }
    pids.push_back(pid);
    pid = 0;
  }
  if (pid > 0) pids.push_back(pid);
  return pids;
}

}  // namespace

// pg_blocking_pids only of those that wait for a lock: it stops the lock manager for a moment. A virtual transaction that
// is waited for (CREATE INDEX CONCURRENTLY) blocks no writer, and is the keeper's, too.
std::vector<LockWaiter> waiters_behind_copy(Connection& on, const std::string& deployment, Deadline deadline) {
  const std::string ours = "verdigris/" + deployment + "/";
  const Result answer = on.query(Sql(R"(
    SELECT a.pid, format('pid %s (%s%s) on %s: %s', a.pid, a.usename, nullif(', ' || a.application_name, ', '),
                         w.relation::regclass, left(regexp_replace(a.query, '\s+', ' ', 'g'), 100)),
           coalesce(string_agg(o.pid::text, ',') FILTER (WHERE o.application_name = $1), '')
    FROM pg_locks w
    JOIN pg_stat_activity a ON a.pid = w.pid
    CROSS JOIN LATERAL unnest(pg_blocking_pids(a.pid)) AS b(pid)
    JOIN pg_stat_activity o ON o.pid = b.pid
    WHERE w.locktype = 'relation' AND NOT w.granted
      AND w.database = (SELECT oid FROM pg_database WHERE datname = current_database())
      AND o.datname = current_database() AND o.usename = current_user AND o.application_name IN ($1, $2)
      AND a.application_name NOT IN ($1, $2)
    GROUP BY 1, 2 ORDER BY 1)"),
                                 {ours + "copy", ours + "keeper"}, deadline);
  std::vector<LockWaiter> waiters;
  for (const Row& row : answer.rows(3))
    waiters.push_back({static_cast<int>(row.integer(0)), std::string(row.text(1)), pids_in(row.text(2))});
  return waiters;
}

CopyLocks::CopyLocks(Server& source, CopyGround& ground, std::chrono::milliseconds patience, Say say)
    : source_(source),
      names_(ground.names),
      encoding_(ground.encoding),
      storage_(ground.record.storage),
      kept_(ground.record.snapshot),
      patience_(patience),
      say_(std::move(say)),
      has_session_(ground.locks.has_value()),
      session_(std::move(ground.locks)),
      snapshot_(ground.snapshot) {}

std::string CopyLocks::snapshot(const std::stop_token& stop) {
  std::unique_lock lock(mutex_);
  if (!held_again_.wait(lock, stop, [this] { return !snapshot_.empty(); }))
    throw CopySourceLost(Error("copy.stopped", source_.color() + ": the copy has given way and is to end"));
  return snapshot_;
}

// Also while the locks have given way: who got one table may wait for the next behind a session that reads that, and others
// behind him.
void CopyLocks::look(Deadline deadline) {
  if (!has_session_ || is_mutant("copy_never_gives_way")) return;
  const auto waiters = patient_waiters(deadline);
  if (!waiters.empty()) return give_way(waiters, deadline);
  if (!session_ && waiting_since_.empty()) take_again(deadline);
}

// Since when is remembered here: the catalogs tell it from 14 on only.
std::vector<LockWaiter> CopyLocks::patient_waiters(Deadline deadline) {
  const auto now = std::chrono::steady_clock::now();
  std::map<int, std::chrono::steady_clock::time_point> still;
  std::vector<LockWaiter> found;
  for (auto& waiter : waiters_behind_copy(source_.control(), source_.deployment(), deadline)) {
    const auto known = waiting_since_.find(waiter.pid);
    const auto since = known == waiting_since_.end() ? now : known->second;
    still[waiter.pid] = since;
    if (now - since >= patience_) found.push_back(std::move(waiter));
  }
  waiting_since_ = std::move(still);
  return found;
}

// Sessions that read what nobody waits for go on. Those that come to a table that is taken wait for it, and are
// opened anew. No new one is opened until the locks are back.
void CopyLocks::give_way(const std::vector<LockWaiter>& waiters, Deadline deadline) {
  std::vector<std::string> readers;
  for (const auto& waiter : waiters) {
    if (say_ && gave_way_to_ != waiter.who) say_(source_.color() + ": the copy gives way to " + waiter.who);
    gave_way_to_ = waiter.who;
    for (const int pid : waiter.readers) readers.push_back(std::to_string(pid));
  }
  if (session_) {
    {
      const std::lock_guard lock(mutex_);
      snapshot_.clear();
    }
    session_->execute(Sql("ROLLBACK"), Deadline::after(kAnswer).or_earlier(deadline));
    session_.reset();
  }
  // By name, too: one that has ended meanwhile may have left its number to somebody else.
  source_.control().query(Sql(R"(
      SELECT pg_terminate_backend(pid) FROM pg_stat_activity
      WHERE pid = ANY ($1::int[]) AND datname = current_database() AND application_name = $2)"),
                          {text_array(readers), "verdigris/" + source_.deployment() + "/copy"}, deadline);
}

// Without waiting: in a queue, a LOCK of all tables could be what makes somebody else's wait a deadlock.
void CopyLocks::take_again(Deadline deadline) {
  const auto soon = Deadline::after(kAnswer).or_earlier(deadline);
  auto session = open_under_snapshot(source_, "keeper", kept_, encoding_, soon);
  auto name = std::string(session.query(Sql("SELECT pg_export_snapshot()"), soon).one_row(1).text(0));
  try {
    if (!names_.empty()) session.execute(Sql("{} NOWAIT", locking_statement(names_)), soon);
  } catch (const ServerError& error) {
    if (error.sqlstate() == "42P01") throw table_changed(source_, gave_way_to_);
    if (!is_lock_failure(error)) throw;
    return;  // the next look tries again
  }
  require_unchanged(soon);
  session_.emplace(std::move(session));
  waiting_since_.clear();
  if (say_) say_(source_.color() + ": the copy goes on");
  const std::lock_guard lock(mutex_);
  snapshot_ = std::move(name);
  held_again_.notify_all();
}

void CopyLocks::require_unchanged(Deadline deadline) {
  const bool is_changed = storage_digest(source_.control(), names_, deadline) != storage_;
  if (is_changed && !is_mutant("copy_storage_not_compared")) throw table_changed(source_, gave_way_to_);
}

void CopyLocks::require_held(Deadline deadline) {
  if (!has_session_) return require_unchanged(deadline);
  // The last rows are there: who still waits gets the table in a moment, and what he does the digest shows.
  const auto is_alive = [&] {
    try {
      session_->execute(Sql("SELECT 1"), Deadline::after(kAnswer));
      return true;
    } catch (const Error&) {
      return false;
    }
  };
  if (session_ && (!session_->is_open() || !is_alive()))
    throw snapshot_lost(source_.color() + ": its session was ended");
  require_unchanged(deadline);
}

}  // namespace verdigris
