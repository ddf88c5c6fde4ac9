#include "controller/steps/hold_traffic.hpp"

#include <algorithm>

#include "replication/access.hpp"
#include "replication/errors.hpp"

namespace verdigris {
namespace {

constexpr std::chrono::milliseconds kPatience{1'500};

}  // namespace

std::string HoldTraffic::describe() const {
  if (!traffic_.abilities().can_hold_clients) return traffic_.effect_on_clients();
  return "hold new transactions at " + traffic_.describe() + ", if that can be done";
}

// Never Done: a pause that somebody else made would be resumed by the undo all the same, and the file is to be laid.
Readiness HoldTraffic::check(Deadline) { return Ready{}; }

// A pooler that is gone keeps nothing from going on; what could not be staged is written when clients are moved.
std::string HoldTraffic::apply(Deadline deadline) {
  try {
    traffic_.stage(to_, deadline);
    traffic_.pause(Deadline::after(kPatience).or_earlier(deadline));
    return traffic_.abilities().can_hold_clients ? traffic_.describe() + " held" : "nobody is held";
  } catch (const Error& error) {
    return std::string("not held, clients may see errors: ") + error.what();  // moving them resumes what is half paused
  }
}

// A switch that was decided and has not moved its clients holds them at a pooler that leads to blue, which is closed for
// ever: they go on when green takes them, or blue is opened by another forced rollback.
bool HoldTraffic::would_meet_a_closed_blue(Deadline deadline) {
  if (!is_access_closed(blue_->control(), blue_->deployment(), deadline)) return false;
  return std::ranges::any_of(traffic_.holds(deadline), [&](const TrafficState& state) { return state.target == to_; });
}

void HoldTraffic::undo(Deadline deadline) {
  traffic_.discard_staged();
  if (!would_meet_a_closed_blue(deadline)) traffic_.resume(deadline);
}

}  // namespace verdigris
