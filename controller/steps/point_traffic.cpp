#include "controller/steps/point_traffic.hpp"

#include <algorithm>

#include "replication/errors.hpp"

namespace verdigris {

std::string PointTraffic::describe() const { return "point " + traffic_.describe() + " at " + to_.host + ":" + to_.port; }

Readiness PointTraffic::check(Deadline deadline) {
  std::vector<TrafficState> states;
  try {
    states = traffic_.state(Deadline::after(std::chrono::seconds(5)).or_earlier(deadline));
  } catch (const Error&) {
    return Ready{};  // one that does not answer must not keep the others from being moved
  }
  const auto is_there = [this](const TrafficState& s) { return s.target == to_; };
  if (!states.empty() && std::ranges::all_of(states, is_there)) return Done{};
  return Ready{};
}

std::string PointTraffic::apply(Deadline deadline) {
  traffic_.point_to(to_, deadline);
  return traffic_.describe() + ", " + to_.host + ":" + to_.port + " read back";
}

}  // namespace verdigris
