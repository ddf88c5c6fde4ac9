#include "controller/steps/hold_traffic.hpp"

#include "replication/errors.hpp"

namespace verdigris {
namespace {

constexpr std::chrono::milliseconds kHoldPatience{1'500};

}  // namespace

std::string HoldTraffic::describe() const {
  if (!traffic_.abilities().can_hold_clients) return traffic_.effect_on_clients();
  return "hold new transactions at " + traffic_.describe() + ", if that can be done";
}

// Never Done: a pause that somebody else made would be resumed by the undo all the same, and the file is to be laid.
Readiness HoldTraffic::check(Deadline) { return Ready{}; }

// A pooler that is gone keeps nothing from going on; what could not be staged is written when clients are moved.
std::string HoldTraffic::apply(Deadline deadline) {
  std::string failed;
  const auto attempt = [&failed](auto act) {
    try {
      act();
    } catch (const Error& error) {
      failed += (failed.empty() ? "" : "; ") + std::string(error.what());
    }
  };
  // a pooler that hangs must not use up the time
  attempt([&] { traffic_.stage(to_, Deadline::after(kHoldPatience).or_earlier(deadline)); });
  attempt([&] { traffic_.pause(Deadline::after(kHoldPatience).or_earlier(deadline)); });
  if (!failed.empty()) return "not all are held, clients may see errors: " + failed;  // moving them resumes what is half paused
  return traffic_.abilities().can_hold_clients ? traffic_.describe() + " held" : "nobody is held";
}

// A switch that was decided and has not moved its clients holds them at a pooler that leads to blue, which is closed for
// ever: they go on when green takes them, or blue is opened by another forced rollback.
void HoldTraffic::undo(Deadline deadline) {
  traffic_.discard_staged();
  if (over_ == Over::crossing) return traffic_.resume_but_for(to_, deadline);
  traffic_.resume(deadline);
}

}  // namespace verdigris
