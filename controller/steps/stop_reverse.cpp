#include "controller/steps/stop_reverse.hpp"

#include "replication/subscription.hpp"
#include "replication/test_switches.hpp"

namespace verdigris {

Readiness StopReverse::check(Deadline deadline) {
  const auto state = subscription_brief(blue_->control(), back_, deadline);
  if (!state.exists) return Done{};
  return Ready{};  // disabled does not mean yet that its worker is gone
}

std::string StopReverse::apply(Deadline deadline) {
  if (is_mutant("reverse_left_enabled")) return "left out";
  disable_subscription(blue_->control(), back_, deadline);
  return "subscription " + back_.name + " is disabled, its worker is gone";
}

// One that was off already, because the way back had been given up, would apply what it never should.
void StopReverse::undo(Deadline deadline) {
  if (!facts_.was_reverse_enabled) return;
  if (subscription_brief(blue_->control(), back_, deadline).exists) enable_subscription(blue_->control(), back_, deadline);
}

}  // namespace verdigris
