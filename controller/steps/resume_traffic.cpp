#include "controller/steps/resume_traffic.hpp"

#include <algorithm>

namespace verdigris {

std::string ResumeTraffic::describe() const { return "let clients go on at " + traffic_.describe(); }

Readiness ResumeTraffic::check(Deadline deadline) {
  const auto states = traffic_.state(deadline);
  if (std::ranges::none_of(states, &TrafficState::is_paused)) return Done{};
  return Ready{};
}

std::string ResumeTraffic::apply(Deadline deadline) {
  traffic_.resume(deadline);
  return std::to_string(traffic_.pause_times().waiting_clients) + " clients had waited";
}

}  // namespace verdigris
