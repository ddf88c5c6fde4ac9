// Who holds a lock that keeps the fence from closing, as pg_locks has it: VACUUM and ANALYZE, index builds, an explicit
// LOCK TABLE, writers. Prepared transactions are no sessions: fence.hpp has them. Called by one thread per connection.
#pragma once

#include <string>
#include <vector>

#include "replication/connection.hpp"

namespace verdigris {

struct LockHolder {
  int pid = 0;
  std::string user, application;
  std::string kind;         // backend_type: "client backend", "autovacuum worker"
  std::string table, mode;  // one of several
  std::string query, query_start;
  bool gives_way = false;  // an autovacuum worker that the server itself would cancel for whoever waits
  // "pid 12 (postgres, application \"psql\", ShareLock on public.t, query began 2026-01-01 10:00:00Z: \"CREATE INDEX\")"
  std::string describe() const;
};

enum class Writers { count, do_not_count };  // those that only wrote rows

// One entry per session, the oldest transaction first; tables that the fence is for. Not this session, nor others of ours.
std::vector<LockHolder> fence_lock_holders(Connection& on, Writers writers, Deadline deadline);

// Those that the apply worker of a subscription here has to wait for: nobody who only reads or writes rows. Not the
// workers themselves, which may have truncated a table.
std::vector<LockHolder> apply_lock_holders(Connection& on, Deadline deadline);

Sql cancel_statement();
// Cancels what those of them do that give way. False if there is none, or if our role may not signal them.
bool cancel_those_that_give_way(Connection& on, const std::vector<LockHolder>& holders, Deadline deadline);

}  // namespace verdigris
