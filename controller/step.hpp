// A step: one act of a plan, in one file, that can be repeated until it succeeds. check() only reads and asks the
// servers, never memory; apply() and undo() are idempotent and correct after a half-finished apply(). A dry run is
// describe() and check() of the same steps. Logging, error handling and order belong to the runner.
#pragma once

#include <chrono>
#include <optional>
#include <string>
#include <string_view>
#include <variant>

#include "controller/planned_act.hpp"
#include "replication/connection.hpp"
#include "replication/deadline.hpp"

namespace verdigris {

struct Ready {};              // apply() would do something
struct Done {};               // apply() would change nothing
struct Blocked { std::string why; std::string hint; };  // apply() must not be tried
using Readiness = std::variant<Ready, Done, Blocked>;

class Step {
 public:
  virtual ~Step() = default;
  virtual std::string_view name() const = 0;  // stable: the journal stores it
  virtual std::string describe() const = 0;   // one sentence, printed by plan and --dry-run
  // What apply() sends that changes something, in its order, as far as can be said now. Only reads.
  virtual PlannedActs statements(Deadline /*deadline*/) { return {}; }
  // False for a step that only looks or waits: its check() never says Done and there is nothing to undo.
  virtual bool leaves_trace() const { return true; }
  // True for a step below the line without which clients are served all the same: if it cannot be done it is noted, told
  // loudly, and the plan ends without it, because an open plan would refuse every later command for ever.
  virtual bool may_be_given_up() const { return false; }
  virtual Readiness check(Deadline deadline) = 0;
  // Returns what was seen or done, for the operator: "2/2 poolers, no server connection left".
  virtual std::string apply(Deadline deadline) = 0;
  // Of apply(): from when on clients felt it, if it chose its moment first. What came before is not part of its time.
  virtual std::optional<std::chrono::steady_clock::time_point> felt_since() const { return std::nullopt; }
  // The part of undoing that must commit together with the record `undone` (opening the source); on its lease session.
  virtual void undo_with_decision(Transaction& /*decision*/) {}
  virtual void undo(Deadline /*deadline*/) {}
};

}  // namespace verdigris
