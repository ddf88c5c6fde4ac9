// A pair of snapshots, one of each side, that hold the same transactions but for a few that committed in the
// milliseconds between a marker and the source's snapshot. Apply of each stream is stopped exactly at the marker by a lock on its
// table while the target's snapshot is taken (parity.md section 2): for milliseconds, given up at fifty, and never for
// longer than two seconds, because the session that holds the lock ends itself. Owned by one thread.
#pragma once

#include <chrono>
#include <optional>
#include <string>
#include <vector>

#include "replication/server.hpp"
#include "replication/stream.hpp"

namespace verdigris {

struct SnapshotPair {
  std::string source;  // names for SET TRANSACTION SNAPSHOT
  std::string target;
  Lsn position;  // of the source, just behind the marker
};

// For how long apply stood still, each time that it was stopped; milliseconds, to which its poll adds up to one.
struct Holds {
  std::vector<double> ms;
  int given_up = 0;  // of these: no pair was made

  double longest() const;
  double percentile(double share) const;  // 0.99; 0 without holds
};

// Where the apply workers are: some or all wait for their marker's table, which somebody has locked.
struct ApplyAtMarker {
  bool is_any, is_all;
};
// The leaders only: parallel workers, and any other session, may wait on the table for reasons of theirs.
ApplyAtMarker apply_at_marker(Connection& watcher, const Streams& streams, Deadline deadline);

class Aligner {
  using Clock = std::chrono::steady_clock;

 public:
  Aligner(Server& source, Server& target, const Streams& streams, Deadline deadline);

  // Holds both snapshots until release(). Throws Refused "stream.stopped" if no apply worker runs, DeadlinePassed if
  // the target stays more than a second behind.
  SnapshotPair make(Deadline deadline);
  void release();
  const Holds& holds() const { return holds_; }

 private:
  bool wait_until_close(Deadline deadline);
  std::optional<SnapshotPair> try_once(Deadline deadline);
  bool lock_marker(Deadline deadline);
  std::string take_source_snapshot(Lsn& position, Deadline deadline);
  struct Stop {
    std::optional<Clock::time_point> since;  // some stream waits
    bool is_complete = false;                // all do
  };
  Stop wait_for_apply_at_marker(Deadline deadline);
  std::optional<std::string> stream_without_worker(Deadline deadline);
  bool unlock_marker();
  void take_target_snapshot(SnapshotPair& pair, Deadline deadline);

  Server& source_;
  Server& target_;
  Streams streams_;
  Holds holds_;
  Connection source_snapshot_;
  Connection flusher_;
  Connection target_snapshot_;
  Connection watcher_;
  std::optional<Connection> locker_;
};

}  // namespace verdigris
