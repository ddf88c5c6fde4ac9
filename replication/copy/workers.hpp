// Several pairs of sessions that copy items side by side, the longest first. How many may change while they work. A pair
// whose source session is lost is opened anew under the same snapshot, and its item copied again.
#pragma once

#include <functional>
#include <stop_token>
#include <vector>

#include "replication/connection.hpp"
#include "replication/copy/copy_record.hpp"
#include "replication/copy/plan.hpp"
#include "replication/copy/progress.hpp"
#include "replication/copy/throttle.hpp"

namespace verdigris {

// Called by the threads of the workers.
struct CopySessions {
  // Told when the copy is to stop, as it may wait for long.
  std::function<Connection(const std::stop_token&)> source;
  std::function<Connection()> target;
  // In the transaction of the rows, behind them: these are done.
  std::function<void(Connection&, const std::vector<CopiedItem>&)> note = {};
  CopyThrottle* throttle = nullptr;  // how fast all of them together may read
};

// With what was there already.
struct CopyResult {
  int tables = 0;
  std::int64_t rows = 0, bytes = 0;
};

// Blocks until all is copied that is not there already. look: called every half second by the calling thread; what it throws stops the copy, what
// it returns is the number of workers from then on. Throws what the first failing item threw, after the others were
// stopped; nothing of an item that failed is on the target.
CopyResult copy_items(std::vector<CopyItem> items, int workers, const CopySessions& sessions,
                      const std::function<int(const CopyProgress&)>& look, Deadline deadline);

}  // namespace verdigris
