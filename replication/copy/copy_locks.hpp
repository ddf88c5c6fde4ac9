// The locks that a copy holds on the source's tables while it reads them, and how they give way. TRUNCATE, ALTER TABLE and
// their kind wait for them, and every writer of that table waits behind those: so after a while the locks, and the
// sessions that read, are ended, and taken again when nobody waits any more. The snapshot lives on in the keeper's
// session. What is done in between that a snapshot does not show is found by the digest, and ends the copy.
#pragma once

#include <chrono>
#include <condition_variable>
#include <functional>
#include <map>
#include <mutex>
#include <optional>
#include <stop_token>
#include <string>
#include <vector>

#include "replication/copy/copy_begin.hpp"

namespace verdigris {

struct LockWaiter {
  int pid = 0;
  std::string who;            // for people: "pid 4711 (ops, psql): ALTER TABLE ... on public.orders"
  std::vector<int> readers;   // our sessions that it waits for, but for the one that keeps the locks
};

// Those that wait for a relation's lock behind a session of the deployment's copy.
std::vector<LockWaiter> waiters_behind_copy(Connection& on, const std::string& deployment, Deadline deadline);

// look() and require_held() by one thread, snapshot() by any.
class CopyLocks {
 public:
  using Say = std::function<void(const std::string&)>;
  // Takes over the session of `ground`. patience: how long somebody may wait.
  CopyLocks(Server& source, CopyGround& ground, std::chrono::milliseconds patience, Say say);

  // Under which the copy reads now; blocks while the locks have given way. Throws CopySourceLost if asked to stop.
  std::string snapshot(const std::stop_token& stop);
  // Gives way, or takes the locks again. Throws Error("copy.changed") if a table is not what it was.
  void look(Deadline deadline);
  // Throws what tells that the session is gone, or that the locks could not be taken again by the deadline.
  void require_held(Deadline deadline);

 private:
  // Those that have waited for long enough; notes since when the others wait.
  std::vector<LockWaiter> patient_waiters(Deadline deadline);
  void give_way(const std::vector<LockWaiter>& waiters, Deadline deadline);
  void take_again(Deadline deadline);
  void require_unchanged(Deadline deadline);

  Server& source_;
  const std::vector<QualifiedName> names_;
  const std::string encoding_, storage_, kept_;
  const std::chrono::milliseconds patience_;
  const Say say_;
  bool has_session_ = false;
  std::optional<Connection> session_;
  std::map<int, std::chrono::steady_clock::time_point> waiting_since_;  // by pid
  std::string gave_way_to_;                                             // the last one
  std::mutex mutex_;
  std::condition_variable_any held_again_;
  std::string snapshot_;  // empty while the locks have given way
};

}  // namespace verdigris
