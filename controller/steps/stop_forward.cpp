#include "controller/steps/stop_forward.hpp"

#include "replication/subscription.hpp"
#include "replication/test_switches.hpp"

namespace verdigris {

std::string StopForward::describe() const { return "stop " + target_->color() + " from following"; }

Readiness StopForward::check(Deadline deadline) {
  if (is_mutant("reverse_before_forward_gone")) return Done{};
  for (const auto& state : subscription_briefs(target_->control(), streams_, deadline))
    if (state.exists && (state.is_enabled || state.worker_pid)) return Ready{};
  return Done{};
}

PlannedActs StopForward::statements(Deadline) {
  PlannedActs out;
  for (const auto& stream : streams_) out.push_back({target_->color(), disabling_statement(stream).text()});
  return out;
}

std::string StopForward::apply(Deadline deadline) {
  disable_subscriptions(target_->control(), streams_, bounded("endless_disable", deadline));
  return "subscription" + std::string(streams_.is_grouped() ? "s " : " ") + streams_.names() +
         (streams_.is_grouped() ? " disabled, their workers are gone" : " disabled, its worker is gone");
}

}  // namespace verdigris
