// A pair of snapshots, one of each side, that hold the same transactions but for a few that committed in the
// milliseconds between a marker and the source's snapshot. Apply of each stream is stopped exactly at the marker by a lock on its
// table while the target's snapshot is taken (parity.md section 2): for milliseconds, and never for longer than two
// seconds, because the session that holds the lock ends itself. Owned by one thread.
#pragma once

#include <optional>
#include <string>

#include "replication/server.hpp"
#include "replication/stream.hpp"

namespace verdigris {

struct SnapshotPair {
  std::string source;  // names for SET TRANSACTION SNAPSHOT
  std::string target;
  Lsn position;  // of the source, just behind the marker
};

class Aligner {
 public:
  Aligner(Server& source, Server& target, const Streams& streams, Deadline deadline);

  // Holds both snapshots until release(). Throws Refused "stream.stopped" if no apply worker runs, DeadlinePassed if
  // the target stays more than a second behind.
  SnapshotPair make(Deadline deadline);
  void release();

 private:
  bool wait_until_close(Deadline deadline);
  std::optional<SnapshotPair> try_once(Deadline deadline);
  bool lock_marker(Deadline deadline);
  std::string take_source_snapshot(Lsn& position, Deadline deadline);
  bool wait_for_apply_at_marker(Deadline deadline);
  std::optional<std::string> stream_without_worker(Deadline deadline);
  bool unlock_marker();

  Server& source_;
  Server& target_;
  Streams streams_;
  Connection source_snapshot_;
  Connection flusher_;
  Connection target_snapshot_;
  Connection watcher_;
  std::optional<Connection> locker_;
};

}  // namespace verdigris
