// What a crossing waits at before clients are held: a time that has not come, a person's hold, a gate of the playbook.
// The runner asks it when everything that takes time is prepared, and once more right before the window.
#pragma once

#include <optional>
#include <string>

#include "replication/deadline.hpp"
#include "replication/errors.hpp"

namespace verdigris {

// Thrown by a step between the gate and the window: a gate has closed; what() says which, as obstacle() does. It is waited
// for at the gate, and everything is looked at again.
class NotYet : public Error {
 public:
  explicit NotYet(const std::string& why) : Error("gate.not-yet", why, "Try again when it is over.", Failure::timed_out) {}
};

class Gate {
 public:
  virtual ~Gate() = default;
  // Why the crossing must not go on now, in one sentence that stays the same while nothing changes; nothing if it may.
  // Asked several times a second. Throws if it was closed for longer than somebody would wait: DeadlinePassed, or what a
  // gate says.
  virtual std::optional<std::string> obstacle(Deadline deadline) = 0;
  // For the last time before clients are held, as fresh as can be; may take a while.
  virtual std::optional<std::string> last_obstacle(Deadline /*deadline*/) { return std::nullopt; }
  // Then, behind the record that clients are about to be held: whoever holds it reads that record.
  virtual std::optional<std::string> hold(Deadline deadline) { return obstacle(deadline); }
  // After a wait, before the steps are looked at again.
  virtual void opened(Deadline /*deadline*/) {}
};

}  // namespace verdigris
