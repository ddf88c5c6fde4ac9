#include "controller/runner.hpp"

#include <algorithm>
#include <csignal>
#include <utility>

#include "controller/exit_codes.hpp"
#include "controller/phases.hpp"
#include "controller/runner_parts.hpp"
#include "replication/test_switches.hpp"

namespace verdigris {
namespace {

using Clock = std::chrono::steady_clock;

volatile std::sig_atomic_t interrupting = 0;

constexpr std::chrono::milliseconds kLastLook{10'000};  // time may have been slept away: what did others do meanwhile?

double ms_since(Clock::time_point begin) {
  return std::chrono::duration<double, std::milli>(Clock::now() - begin).count();
}

}  // namespace

bool was_interrupted() { return interrupting != 0; }
int exit_code_of_interruption() { return interrupting == SIGTERM ? kTerminated : kInterrupted; }

void handle_interrupts() {
  struct sigaction action {};
  action.sa_handler = [](int number) { interrupting = number; };
  sigaction(SIGINT, &action, nullptr);
  sigaction(SIGTERM, &action, nullptr);
  sigaction(SIGHUP, &action, nullptr);
}

Runner::Runner(const Plan& plan, Journal& journal, RunLimits limits, RunObserver& observer,
               std::function<void(Deadline)> reopen, Gate* gate)
    : plan_(plan), journal_(journal), limits_(limits), observer_(observer), reopen_(std::move(reopen)), gate_(gate) {}

bool Runner::is_committed() const {
  const auto standing = standing_of(journal_.records());
  return standing.open && standing.open->is_committed;
}

// What was handed over once may stand although its write failed: it is not written a second time.
std::vector<Entry> Runner::take_pending() { return std::exchange(pending_, {}); }

// One commit for the end of the step before and the beginning of this one. While clients wait none at all: what was begun
// decides nothing, recovery acts as if every step had been; it is written with the decision, or when the window is over.
void Runner::record_begin(std::size_t i, Deadline deadline) {
  const std::string name(plan_[i].name());
  const bool is_deferred = plan_.is_in_window(i) && i != plan_.window();
  if (is_deferred) crash_point("before:begin:" + name);
  pending_.push_back({"begin", {{"step", name}}});
  if (is_deferred) return crash_point("after:begin:" + name);
  journal_.write(take_pending(), deadline);
}

void Runner::record_end(Deadline deadline) { if (!pending_.empty()) journal_.write(take_pending(), deadline); }

void Runner::carry_out_step(std::size_t i, Deadline deadline) {
  Step& step = plan_[i];
  const auto begin = Clock::now();
  const Readiness readiness = step.check(deadline);
  const std::string name(step.name());
  if (const auto* blocked = std::get_if<Blocked>(&readiness)) throw Refused("step." + name, blocked->why, blocked->hint);
  reached_ = std::max(reached_, i + 1);
  if (std::holds_alternative<Done>(readiness)) {
    crash_point("after:apply:" + name);
    return observer_.skipped(name);
  }
  record_begin(i, deadline);
  observer_.began(name);
  StepReport report{name, step.apply(deadline), 0};
  crash_point("after:apply:" + name);
  report.ms = ms_since(step.felt_since().value_or(begin));
  pending_.push_back({"end", {{"step", name}, {"ms", report.ms}, {"account", report.account}}});
  result_.steps.push_back(report);
  observer_.ended(report);
}

RunResult Runner::carry_out(const Json& closing) {
  const auto deadline = Deadline::after(limits_.plain);
  for (std::size_t i = 0; i < plan_.size(); ++i) {
    if (was_interrupted()) throw Interrupted();
    carry_out_step(i, deadline);
  }
  record_end(deadline);
  journal_.close_plan(closing, deadline);
  return result_;
}

RunResult Runner::take_back() {
  const auto deadline = Deadline::after(limits_.plain);
  for (std::size_t i = plan_.size(); i-- > 0;) {
    if (was_interrupted()) throw Interrupted();
    const auto begin = Clock::now();
    const std::string name(plan_[i].name());
    observer_.began(name);
    plan_[i].undo(deadline);
    result_.steps.push_back({name, "undone", ms_since(begin)});
    observer_.ended(result_.steps.back());
  }
  journal_.close_plan(Json::object(), deadline);
  return result_;
}

// All steps above it; from the beginning again behind a wait. Returns the deadline under which the decision stands, too.
Deadline Runner::come_to_the_line() {
  auto deadline = Deadline::after(limits_.before_window);
  for (std::size_t i = 0; i < plan_.no_return();) {
    if (was_interrupted()) throw Interrupted();
    const bool goes_on = passes_gate(i, deadline);
    if (i == plan_.gate()) deadline = Deadline::after(limits_.before_window);  // what gates took to answer does not count
    if (goes_on && i == plan_.window()) {
      deadline = Deadline::after(limits_.to_the_line());
      result_.window_was_open = true;
    }
    if (goes_on && carries_out_or_waits(i, deadline)) {
      ++i;
      continue;
    }
    deadline = Deadline::after(limits_.before_window);
    i = 0;
    result_.steps.clear();
  }
  return deadline;
}

RunResult Runner::try_to_cross(const std::function<Json()>& decision) {
  try {
    const auto deadline = come_to_the_line();
    if (was_interrupted()) throw Interrupted();
    if (deadline.has_passed()) throw DeadlinePassed("the pause budget was spent before the line");
    journal_.decide_committed(take_pending(), decision(), deadline);
  } catch (const Error& error) {
    if (is_committed()) return go_forward();  // it stands on the source: never back
    return back_out(error);
  } catch (const std::exception& error) {
    if (is_committed()) return go_forward();
    return back_out(Error("", error.what()));
  }
  return go_forward();
}

RunResult Runner::cross(const std::function<Json()>& decision) {
  try {
    return try_to_cross(decision);
  } catch (const Error& error) {
    if (error.failure() != Failure::busy || !result_.window_was_open) throw;
    throw Error(error.id(), error.what(),
                "Clients may still be held: if that controller is gone or does not end, run: verdigris recover", Failure::busy);
  }
}

RunResult Runner::recover() {
  may_give_up_ = limits_.recovery >= limits_.forward;  // told to be quick, it can be run again
  limits_.forward = limits_.recovery;
  if (is_committed()) return go_forward();
  reached_ = plan_.no_return();  // how far the other one came is not known
  const auto standing = standing_of(journal_.records());
  if (standing.open && standing.open->is_undone) return clear_after_undone();
  return back_out(Error("controller.gone", "the controller of this plan is gone"));
}

// False if a server broke off meanwhile: the caller tries again until its own deadline.
bool Runner::is_reopened(Deadline deadline) {
  try {
    reopen_(deadline);
    return true;
  } catch (const Error& error) {
    if (!may_mend_itself(error)) throw;
    return false;
  }
}

// `undone` and the opening of the source, in one transaction. A lost session is opened anew, with its lease, and the
// journal read again: what was doubtful is settled then.
void Runner::decide_back(const std::string& reason, Deadline deadline) {
  for (;;) {
    try {
      journal_.decide_undone(take_pending(), {{"reason", reason}},
                             [&](Transaction& transaction) {
                               for (std::size_t i = reached_; i-- > 0;)
                                 plan_[i].undo_with_decision(transaction);
                             },
                             deadline);
      return;
    } catch (const Error& error) {
      if (error.failure() == Failure::busy || error.failure() == Failure::needs_human) throw;
      if (deadline.has_passed()) {
        is_reopened(Deadline::after(kLastLook));
        throw NeedsHuman("undo-stuck", std::string("the source could not be opened again: ") + error.what(),
                         "Clients are still held; when the source answers, run: verdigris recover");
      }
      observer_.remarked(std::string("undo: ") + error.what() + "; trying again");
    }
    wait_a_moment();
    if (!is_reopened(deadline)) continue;
    const auto standing = standing_of(journal_.records());
    if (standing.open && (standing.open->is_committed || standing.open->is_undone)) return;
  }
}

void Runner::undo_steps() {
  std::string failed;
  for (std::size_t i = reached_; i-- > 0;) {
    try {
      plan_[i].undo(Deadline::after(limits_.undo));
      crash_point("after:undo:" + std::string(plan_[i].name()));
    } catch (const std::exception& error) {
      // The others are undone all the same: clients held at one pooler must not wait for the fault of another.
      failed += (failed.empty() ? "" : "; ") + std::string(plan_[i].name()) + ": " + error.what();
    }
  }
  if (!failed.empty())
    throw NeedsHuman("undo-incomplete", "the source serves again, but not everything was put back: " + failed,
                     "Mend the cause, then run: verdigris recover");
}

RunResult Runner::back_out(const Error& error) {
  if (error.failure() == Failure::busy) throw error;  // whoever has the lease decides
  if (error.id() == "identity.changed") throw error;  // nothing is decided on a server that is not the one it was
  observer_.remarked(std::string("undo: ") + error.what());
  result_.ending = Ending::undone;
  result_.reason = error.what();
  result_.reason_hint = error.hint();
  result_.reason_id = error.id();
  result_.failure = error.failure();
  decide_back(result_.reason, Deadline::after(limits_.undo));
  if (is_committed()) return go_forward();
  return clear_after_undone();
}

// The source is open again; what is left is courtesy to clients and tidying. Closes the plan.
RunResult Runner::clear_after_undone() {
  result_.ending = Ending::undone;
  undo_steps();
  close_undone(Deadline::after(limits_.undo));
  return result_;
}

// The last record is worth a second session: without it the plan stands open although nothing is left to do.
void Runner::close_undone(Deadline deadline) {
  const auto ours = begin_of_open_plan(journal_.records());
  for (int attempt = 1;; ++attempt) {
    try {
      return journal_.close_plan(Json::object(), deadline);
    } catch (const Error& error) {
      if (!may_mend_itself(error) || deadline.has_passed()) throw;
      observer_.remarked(std::string("undo: ") + error.what() + "; trying again");
    }
    wait_a_moment(attempt);
    if (is_reopened(deadline) && begin_of_open_plan(journal_.records()) != ours) return;
  }
}

// Written when the plan is closed. A `recover` that finds it open tries the step again.
void Runner::give_up(const Step& step, const Error& error) {
  const std::string name(step.name());
  observer_.remarked(name + ": " + error.what() + "; given up");
  result_.given_up = error.what();
  given_up_ = {{"step", name}, {"reason", error.what()}};
}

// Tried again until it is done: below the line there is no other way. An unreachable server is no reason to give up:
// it may hold what is not known here.
void Runner::forward_step(std::size_t i, Deadline deadline) {
  Step& step = plan_[i];
  for (int attempt = 1;; ++attempt) {
    try {
      carry_out_step(i, deadline);
      return;
    } catch (const NeedsHuman& error) {
      if (!step.may_be_given_up()) throw;
      return give_up(step, error);
    } catch (const Error& error) {
      if (error.failure() == Failure::busy) throw;
      if (deadline.has_passed() && may_give_up_ && step.may_be_given_up() && !is_about_connection(error)) return give_up(step, error);
      if (deadline.has_passed()) throw;
      observer_.remarked(std::string(step.name()) + ": " + error.what() + "; trying again");
      if (may_mend_itself(error)) throw;
      wait_a_moment(attempt);
    }
  }
}

// All that is below the line, once. False if sessions were lost: what a server had not flushed yet, such as its opening,
// is gone with them, so every step is looked at again, from the decision on.
bool Runner::passes_forward(Deadline& deadline) {
  try {
    journal_.decide_committed({}, {}, deadline);
    for (std::size_t i = plan_.no_return(); i < plan_.size(); ++i) {
      // Given up once, it is not waited for again when a lost session makes another pass.
      if (given_up_.value("step", "") == plan_[i].name()) continue;
      const bool had_given_up = !given_up_.empty();
      forward_step(i, deadline);
      if (!had_given_up && !given_up_.empty()) deadline = Deadline::after(limits_.forward);  // it may have spent all of it
    }
    record_end(deadline);
    Json detail = Json::object();
    if (!given_up_.empty()) detail["given_up"] = given_up_;
    journal_.close_plan(detail, deadline);
    return true;
  } catch (const Error& error) {
    // What steps throw has been tried again there; what is left is the journal's, and worth another pass, too.
    if (error.failure() == Failure::busy || error.failure() == Failure::needs_human || deadline.has_passed()) throw;
    if (may_mend_itself(error)) reopen_(deadline);
    else observer_.remarked(std::string("journal: ") + error.what() + "; trying again");
    return false;
  }
}

RunResult Runner::go_forward() {
  auto deadline = Deadline::after(limits_.forward);
  result_.ending = Ending::done;
  try {
    for (int attempt = 1; !passes_forward(deadline); ++attempt) wait_a_moment(attempt);
  } catch (const Error& error) {
    if (error.failure() == Failure::busy || error.failure() == Failure::needs_human) throw;
    is_reopened(Deadline::after(kLastLook));
    if (is_mutant("source_opened_below_line")) decide_back(error.what(), Deadline::after(limits_.undo));
    throw NeedsHuman("stuck-forward", std::string("the line is crossed, but the rest could not be carried out: ") + error.what(),
                     "Mend the cause, then run: verdigris recover");
  }
  return result_;
}

}  // namespace verdigris
