#include "controller/steps/stop_forward.hpp"

#include "replication/subscription.hpp"
#include "replication/test_switches.hpp"

namespace verdigris {

std::string StopForward::describe() const { return "stop " + target_->color() + " from following"; }

Readiness StopForward::check(Deadline deadline) {
  if (is_mutant("reverse_before_forward_gone")) return Done{};
  const auto state = subscription_state(target_->control(), stream_, deadline);
  if (!state.exists || (!state.is_enabled && !state.worker_pid)) return Done{};
  return Ready{};
}

PlannedActs StopForward::statements(Deadline) { return {{target_->color(), disabling_statement(stream_).text()}}; }

std::string StopForward::apply(Deadline deadline) {
  disable_subscription(target_->control(), stream_, bounded("endless_disable", deadline));
  return "subscription " + stream_.name + " disabled, its worker is gone";
}

}  // namespace verdigris
