#include "controller/steps/stop_reverse.hpp"

#include <algorithm>

#include "replication/subscription.hpp"
#include "replication/test_switches.hpp"

namespace verdigris {

Readiness StopReverse::check(Deadline deadline) {
  const auto states = subscription_briefs(blue_->control(), back_, deadline);
  if (std::ranges::none_of(states, &SubscriptionBrief::exists)) return Done{};
  return Ready{};  // disabled does not mean yet that its worker is gone
}

std::string StopReverse::apply(Deadline deadline) {
  if (is_mutant("reverse_left_enabled")) return "left out";
  disable_subscriptions(blue_->control(), back_, deadline);
  return "subscription" + std::string(back_.is_grouped() ? "s " : " ") + back_.names() +
         (back_.is_grouped() ? " are disabled, their workers are gone" : " is disabled, its worker is gone");
}

// One that was off already, because the way back had been given up, would apply what it never should.
void StopReverse::undo(Deadline deadline) {
  const auto& on = facts_.reverse_enabled;
  for (const auto& stream : back_)
    if ((!on || std::ranges::find(*on, stream.name) != on->end()) && subscription_brief(blue_->control(), stream, deadline).exists) enable_subscription(blue_->control(), stream, deadline);
}

}  // namespace verdigris
