#include "controller/steps/point_traffic.hpp"

#include <algorithm>

namespace verdigris {

std::string PointTraffic::describe() const { return "point " + traffic_.describe() + " at " + to_.host + ":" + to_.port; }

Readiness PointTraffic::check(Deadline deadline) {
  const auto states = traffic_.state(deadline);
  const auto is_there = [this](const TrafficState& s) { return s.target == to_; };
  if (!states.empty() && std::ranges::all_of(states, is_there)) return Done{};
  return Ready{};
}

std::string PointTraffic::apply(Deadline deadline) {
  traffic_.point_to(to_, deadline);
  return traffic_.describe() + ", " + to_.host + ":" + to_.port + " read back";
}

}  // namespace verdigris
