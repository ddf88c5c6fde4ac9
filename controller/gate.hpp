// What a crossing waits at before clients are held: a time that has not come, a person's hold. The runner asks it when
// everything that takes time is prepared, and once more right before the window.
#pragma once

#include <optional>
#include <string>

#include "replication/deadline.hpp"

namespace verdigris {

class Gate {
 public:
  virtual ~Gate() = default;
  // Why the crossing must not go on now, in one sentence that stays the same while nothing changes; nothing if it may.
  // Asked several times a second. Throws DeadlinePassed if it was closed for longer than somebody would wait.
  virtual std::optional<std::string> obstacle(Deadline deadline) = 0;
  // After a wait, before the steps are looked at again.
  virtual void opened(Deadline /*deadline*/) {}
};

}  // namespace verdigris
