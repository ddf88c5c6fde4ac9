// What goes on beside a copy: it is told to the person at the terminal, noted on the target for `status`, and heeds what
// `set copy-workers` and `set copy-rate` ask for, how much the source has to do, and how much WAL it keeps meanwhile.
#pragma once

#include <functional>
#include <optional>
#include <string>

#include "controller/copy_brake.hpp"
#include "controller/journal.hpp"
#include "controller/planned_act.hpp"
#include "controller/slot_wal_limit.hpp"
#include "replication/copy/progress.hpp"
#include "replication/tool_runner.hpp"

namespace verdigris {

inline constexpr int kMostCopyWorkers = 64;

class CopyWatch {
 public:
  CopyWatch(Server& target, SlotWalLimit limit, CopyBrake brake, int workers, ProgressCallback progress);

  // Before the first row is read.
  void look_at_load(Deadline deadline) { brake_.look(deadline); }
  // How many workers there shall be. Throws what the limit throws, or the person at the terminal.
  int look(const CopyProgress& now, Deadline deadline);
  // The notes on the target are for while it runs.
  void forget(Deadline deadline);
  static PlannedAct noting(Server& target);
  CopyThrottle* throttle() const { return brake_.throttle(); }

 private:
  std::optional<std::int64_t> wanted(const char* key, Deadline deadline);

  Server& target_;
  SlotWalLimit limit_;
  CopyBrake brake_;
  int workers_;
  ProgressCallback progress_;
  std::optional<Deadline> next_note_;
};

// The last note of a copy under way, as `status` prints it; nothing if there is none.
std::optional<Json> noted_copy(Server& target, Deadline deadline);
// Live: heeded within two seconds or so by the prepare that copies.
void ask_for_copy_workers(Server& target, int workers, Deadline deadline);
void ask_for_copy_rate(Server& target, std::int64_t bytes_per_second, Deadline deadline);  // 0: as fast as it goes

}  // namespace verdigris
