// "Verified through LSN X" while writes go on: all tables are compared once, from before that on the keys of rows that
// change are followed on both sides, and asked for again until both sides are alike (parity.md section 9). What is left
// of them when both sides stand still is all that has to be compared then.
//
// Whatever changed a row on the target is followed, too: the stream, a trigger that it fired, or somebody by hand. Both
// followings begin before the full comparison, so there is no moment that neither covers. A key may be settled before the
// comparison has come to its table: whatever changes it later is followed again.
//
// Begun, asked and ended by one thread; between begin() and freeze() a thread of its own reads and asks.
#pragma once

#include <atomic>
#include <chrono>
#include <condition_variable>
#include <exception>
#include <mutex>
#include <optional>
#include <thread>

#include "healthcheck/parity/dirty_keys.hpp"
#include "healthcheck/parity/judge.hpp"
#include "healthcheck/parity/parity.hpp"

namespace verdigris {

struct Freshness {
  Lsn through;             // of the source: all that was committed before is alike, but for `dirty`
  std::size_t dirty = 0;   // keys that are still to be seen alike
  std::size_t whole = 0;   // tables that are to be compared as a whole when both sides stand still
  std::int64_t whole_bytes = 0;  // on the bigger side
  std::chrono::steady_clock::time_point seen;
};

class RollingParity {
 public:
  // sessions: must outlive this. there, back: the streams that leave source and target.
  RollingParity(Server& source, Server& target, const Streams& there, const Streams& back, ParitySessions& sessions,
                Deadline deadline);
  ~RollingParity();
  RollingParity(const RollingParity&) = delete;
  RollingParity& operator=(const RollingParity&) = delete;

  // The full comparison. Throws Error "parity" (Failure::differs) with the first table that differs.
  void begin(const Streams& there, const ProgressCallback& progress, Deadline deadline);
  // Throws what the following ended with: a difference that was proven, a lost session.
  Freshness look();
  // Ends the thread; what changes from now on is read by settle(). Returns what is left. resume() begins it again.
  Freshness freeze(Deadline deadline);
  void resume();
  bool is_frozen() const { return !thread_.joinable(); }

  // Both sides stand still: nothing is written on the source, and the target has applied all of it. Frozen. The report is
  // of all tables: those that did not change since they were compared, and those of which only the changed rows were.
  ParityReport settle(Deadline deadline);
  // "3 rows and 1 table of what changed": of the last settle().
  const std::string& account() const { return account_; }

 private:
  void run();
  void note_failure();
  void follow_once(Deadline deadline);
  void look_again_at(const KeysByTable& keys, Deadline deadline);
  void pump_both(std::chrono::milliseconds time);
  void require_alike(const KeysByTable& different) const;
  void read_to_the_end(Deadline deadline);

  Server& source_;
  Server& target_;
  ParitySessions& sessions_;
  DirtyKeys dirty_, unseen_;  // the second: where a mutant looks
  Judge judge_;
  Connection source_clock_, target_clock_;
  ChangeStream source_changes_, target_changes_;
  ParityReport base_;

  std::thread thread_;
  std::atomic<bool> is_ending_ = false;
  std::map<std::size_t, std::map<RowKey, int>> stubborn_;  // rounds in which a key was not alike
  std::mutex mutex_;  // of what follows
  Freshness fresh_;
  std::exception_ptr failure_;
  std::string account_;
};

}  // namespace verdigris
