// The runner at its gate: how it waits there, and what it looks at before clients are held.
#include <thread>

#include "controller/runner.hpp"
#include "controller/runner_parts.hpp"

namespace verdigris {
namespace {

constexpr std::chrono::milliseconds kHear{20};      // a signal is heard within this
constexpr std::chrono::milliseconds kAskGate{200};  // who is released goes on within a second
constexpr std::chrono::milliseconds kGateAnswer{10'000};

}  // namespace

// Whoever holds the crossing writes that first and then looks whether this record stands; we write it first and then look
// for a hold. Whatever the order, one of the two sees the other: nobody is told "held" by whom clients were held after all.
void Runner::note_window(bool opens, Deadline deadline) {
  pending_.push_back({"window", {{"opens", opens}}});
  journal_.write(take_pending(), deadline);
}

// Nothing has been touched for clients, and everything is looked at again behind the wait: a session that is lost meanwhile
// is opened anew, and the waiting goes on. Another controller that came between ends it (reopen).
std::optional<std::string> Runner::obstacle_after_all() {
  const auto patience = Deadline::after(limits_.before_window);
  for (int attempt = 1;; ++attempt) {
    try {
      return gate_->obstacle(Deadline::after(kGateAnswer));
    } catch (const Error& error) {
      if (!is_about_connection(error) || patience.has_passed()) throw;
      observer_.remarked(std::string("waits: ") + error.what() + "; trying again");
    }
    if (was_interrupted()) throw Interrupted();
    wait_a_moment(attempt);
    is_reopened(Deadline::after(kGateAnswer));
  }
}

void Runner::wait_at_gate(const std::string& why) {
  for (std::optional<std::string> now = why; now; now = obstacle_after_all()) {
    observer_.remarked(*now);
    const auto again = Deadline::after(kAskGate);
    while (!again.has_passed()) {
      if (was_interrupted()) throw Interrupted();
      std::this_thread::sleep_for(kHear);
    }
  }
  gate_->opened(Deadline::after(limits_.before_window));  // a slot that waited for hours is decoded
  observer_.remarked("goes on: what has to be true is looked at again");
}

// Nothing that was made ready for the next moments is left so for hours.
void Runner::wait_again(std::size_t made, const std::string& why) {
  while (made-- > plan_.gate()) plan_[made].undo(Deadline::after(limits_.undo));
  wait_at_gate(why);
}

// False after a wait: what was true before it may not be any more. The gates are asked before the record is written: they
// may take a while, and whoever holds it meanwhile need not be told that clients may be held already.
bool Runner::passes_gate(std::size_t i, Deadline deadline) {
  if (gate_ == nullptr || (i != plan_.gate() && i != plan_.window())) return true;
  if (i == plan_.gate()) {
    const auto why = gate_->obstacle(deadline);
    if (why) wait_at_gate(*why);
    return !why;
  }
  auto why = gate_->last_obstacle(deadline);
  if (!why) {
    note_window(true, deadline);
    why = gate_->hold(deadline);
    if (why) note_window(false, deadline);
  }
  if (why) wait_again(i, *why);
  return !why;
}

// False if the step had to wait for a gate.
bool Runner::carries_out_or_waits(std::size_t i, Deadline deadline) {
  try {
    carry_out_step(i, deadline);
    return true;
  } catch (const NotYet& error) {
    if (gate_ == nullptr || i < plan_.gate() || i >= plan_.window()) throw;
    wait_again(i + 1, error.what());
    return false;
  }
}

}  // namespace verdigris
