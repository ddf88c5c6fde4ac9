// Keeps the snapshot of a copy on the source while no controller lives, so that the next one goes on: a session whose
// transaction reads under it, inside a statement that runs in the server for as long as it is needed. A backend finds out
// that its client is gone only when it reads or writes, so this needs no process of ours, on no machine, and a cut network
// does not end it. It holds no lock, so nothing waits for it. It ends itself when the slot is gone, lost, or read (the copy
// is over or given up), or when nobody has had the deployment's lease for a while: blue's VACUUM is not held up for ever.
// Where there is a limit of WAL a second such session, its guard, is there as long as the slot is unread: if the slot makes
// the source keep too much, it is dropped, since blue's disk comes first. Of several slots, which all begin there, the
// first stands for all: it is the last to be read, and goes with the others that nobody reads.
#pragma once

#include <chrono>
#include <optional>
#include <string>

#include "replication/server.hpp"
#include "replication/stream.hpp"

namespace verdigris {

struct KeepingTerms {
  std::chrono::seconds alone{600};   // without a controller
  std::int64_t most_wal_bytes = 0;   // that the slot may make the source keep; 0: no limit
};

struct SnapshotKeeper {
  std::string snapshot;  // a name that lives as long as the keeper does
  Connection session;    // at work in the statement; may be closed, as may the guard's
  std::optional<Connection> guard;
};

// Returns when it is at work. unread: where the slot stands as long as nobody has read it. Importing `snapshot` must still be possible.
SnapshotKeeper keep_snapshot(Server& source, const Streams& streams, const std::string& snapshot, Lsn unread,
                             const KeepingTerms& terms, std::optional<Connection> guard, Deadline deadline);
// At work, from when there is a slot; nothing if there is no limit.
std::optional<Connection> guard_slot(Server& source, const Streams& streams, Lsn unread, const KeepingTerms& terms,
                                     Deadline deadline);
// The copy is over: the guard stays until somebody reads the slot, and ends itself then.
void end_keeper(Connection& on, const std::string& deployment, Deadline deadline);
// Ends those of the deployment and their guards, but for this one. Idempotent.
void end_snapshot_keepers(Connection& on, const std::string& deployment, const SnapshotKeeper* but, Deadline deadline);
bool is_snapshot_kept(Connection& on, const std::string& deployment, Deadline deadline);

// What these send.
Sql keeping_statement(const std::string& deployment, const Streams& streams, const std::string& unread,
                      const KeepingTerms& terms);
Sql guarding_statement(const std::string& deployment, const Streams& streams, const std::string& unread,
                       const KeepingTerms& terms);
Sql ending_keepers_statement();  // $1 and $2 are their application_name, $3 the pids of those that stay

}  // namespace verdigris
