// The only loop: check, record, apply, record; backwards on failure above the line, forward only below it. All error
// handling of plans is here. After a crash there are two futures, and one record chooses between them.
#pragma once

#include <algorithm>
#include <chrono>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "controller/gate.hpp"
#include "controller/journal.hpp"
#include "controller/plan.hpp"

namespace verdigris {

struct RunLimits {
  std::chrono::milliseconds before_window{120'000};  // every step before clients wait, together
  std::chrono::milliseconds max_pause{5'000};        // how long clients may wait, from the first step of the window on
  std::chrono::milliseconds undo{30'000};
  std::chrono::milliseconds forward{60'000};         // below the line, until a person is asked
  std::chrono::milliseconds recovery{60'000};        // the same, for recover()
  std::chrono::milliseconds plain{std::chrono::hours(24 * 7)};

  // Of max_pause; the rest is for the way back, for which clients wait as well.
  std::chrono::milliseconds to_the_line() const { return max_pause - std::min(kWayBack, max_pause / 5); }
  static constexpr std::chrono::milliseconds kWayBack{150};
};

struct StepReport {
  std::string step;
  std::string account;  // what the step said
  double ms = 0;
};

// What people see while a plan runs.
class RunObserver {
 public:
  virtual ~RunObserver() = default;
  virtual void began(const std::string& step) = 0;
  virtual void ended(const StepReport& report) = 0;
  virtual void skipped(const std::string& step) = 0;  // check() said Done
  virtual void remarked(const std::string& text) = 0; // decision, undo, retry
};

enum class Ending { done, undone };

struct RunResult {
  Ending ending = Ending::done;
  std::vector<StepReport> steps;
  std::string reason;           // why it was undone
  std::string reason_hint;
  std::string reason_id;        // stable, as in errors; empty if it is none of ours
  Failure failure = Failure::failed;  // the kind of the reason
  bool window_was_open = false;
  std::optional<double> pause_ms;  // how long clients were held, if somebody knows
  std::string given_up;         // done, but for a step that may be given up: why
};

class Runner {
 public:
  // reopen: brings sessions, leases and the journal back after a connection was lost, as far as the servers answer;
  // throws only what trying again cannot mend (another controller, another server behind the address).
  // gate: what cross() waits at; none: nothing.
  Runner(const Plan& plan, Journal& journal, RunLimits limits, RunObserver& observer,
         std::function<void(Deadline)> reopen, Gate* gate = nullptr);

  // A plan without a line: every step until done; an exception leaves the plan open, to be continued. closing: detail of
  // its last record.
  RunResult carry_out(const Json& closing = Json::object());
  // The steps from the end to the beginning, undone; for abandon.
  RunResult take_back();
  // A plan with a line. decision: the detail of `committed`, asked for when every step above the line is done. Throws
  // NeedsHuman if it got stuck below the line, Error (busy) if another controller decided.
  RunResult cross(const std::function<Json()>& decision);
  // After a crash, with a journal just loaded.
  RunResult recover();

 private:
  RunResult back_out(const Error& error);
  RunResult go_forward();
  RunResult try_to_cross(const std::function<Json()>& decision);
  Deadline come_to_the_line();
  bool passes_gate(std::size_t i, Deadline deadline);
  bool carries_out_or_waits(std::size_t i, Deadline deadline);
  void wait_again(std::size_t made, const std::string& why);
  void wait_at_gate(const std::string& why);
  std::optional<std::string> obstacle_after_all();
  void note_window(bool opens, Deadline deadline);
  void carry_out_step(std::size_t i, Deadline deadline);
  void forward_step(std::size_t i, Deadline deadline);
  bool passes_forward(Deadline& deadline);
  void give_up(const Step& step, const Error& error);
  void record_begin(std::size_t i, Deadline deadline);
  void record_end(Deadline deadline);
  std::vector<Entry> take_pending();
  bool is_committed() const;
  void decide_back(const std::string& reason, Deadline deadline);
  bool is_reopened(Deadline deadline);
  void undo_steps();
  RunResult clear_after_undone();
  void close_undone(Deadline deadline);

  const Plan& plan_;
  Journal& journal_;
  // How many steps, from the first, may have acted: only those are undone. What was never begun may not be ours, such as
  // a pause that was refused because somebody else had made it.
  std::size_t reached_ = 0;
  bool may_give_up_ = true;  // a step that may be, once its time is over
  RunLimits limits_;
  RunObserver& observer_;
  std::function<void(Deadline)> reopen_;
  Gate* gate_;
  RunResult result_;
  Json given_up_ = Json::object();  // empty, or step and reason
  std::vector<Entry> pending_;  // what is yet to be written: the end of the last step; in the window, all of its steps
};

// Set by SIGINT, SIGTERM and SIGHUP; asked between steps. Above the line it undoes, below it nothing is interrupted.
bool was_interrupted();
int exit_code_of_interruption();  // outside of a window
void handle_interrupts();

}  // namespace verdigris
