#include "controller/steps/pause_traffic.hpp"

#include <algorithm>

namespace verdigris {

std::string PauseTraffic::describe() const { return "hold new transactions at " + traffic_.describe(); }

Readiness PauseTraffic::check(Deadline deadline) {
  const auto states = traffic_.state(deadline);
  const auto is_held = [](const TrafficState& s) { return s.is_paused && s.server_connections == 0; };
  if (!states.empty() && std::ranges::all_of(states, is_held)) return Done{};
  return Ready{};
}

std::string PauseTraffic::apply(Deadline deadline) {
  traffic_.pause(deadline);
  return traffic_.describe() + " held, no server connection left";
}

void PauseTraffic::undo(Deadline deadline) { traffic_.resume(deadline); }

}  // namespace verdigris
