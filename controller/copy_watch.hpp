// What goes on beside a copy: it is told to the person at the terminal, noted on the target for `status`, and heeds what
// `set copy-workers` asks for and how much WAL the source keeps meanwhile.
#pragma once

#include <functional>
#include <optional>
#include <string>

#include "controller/journal.hpp"
#include "controller/planned_act.hpp"
#include "controller/slot_wal_limit.hpp"
#include "replication/copy/progress.hpp"
#include "replication/tool_runner.hpp"

namespace verdigris {

inline constexpr int kMostCopyWorkers = 64;

class CopyWatch {
 public:
  CopyWatch(Server& target, SlotWalLimit limit, int workers, ProgressCallback progress);

  // How many workers there shall be. Throws what the limit throws, or the person at the terminal.
  int look(const CopyProgress& now, Deadline deadline);
  // The notes on the target are for while it runs.
  void forget(Deadline deadline);
  static PlannedAct noting(Server& target);

 private:
  Server& target_;
  SlotWalLimit limit_;
  int workers_;
  ProgressCallback progress_;
  std::optional<Deadline> next_note_;
};

// The last note of a copy under way, as `status` prints it; nothing if there is none.
std::optional<Json> noted_copy(Server& target, Deadline deadline);
// Live: heeded within two seconds or so by the prepare that copies.
void ask_for_copy_workers(Server& target, int workers, Deadline deadline);

}  // namespace verdigris
