// What a crossing waits at before clients are held: a time that has not come, a person's hold, a gate of the playbook.
// The runner asks it when everything that takes time is prepared, and once more right before the window.
#pragma once

#include <optional>
#include <string>

#include "replication/deadline.hpp"

namespace verdigris {

class Gate {
 public:
  virtual ~Gate() = default;
  // Why the crossing must not go on now, in one sentence that stays the same while nothing changes; nothing if it may.
  // Asked several times a second. Throws if it was closed for longer than somebody
  // would wait: DeadlinePassed, or what a gate says.
  virtual std::optional<std::string> obstacle(Deadline deadline) = 0;
  // The same, for the last time before clients are held: nothing is answered from memory that can be asked again.
  virtual std::optional<std::string> last_obstacle(Deadline deadline) { return obstacle(deadline); }
  // After a wait, before the steps are looked at again.
  virtual void opened(Deadline /*deadline*/) {}
};

}  // namespace verdigris
