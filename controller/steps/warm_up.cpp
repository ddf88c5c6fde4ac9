#include "controller/steps/warm_up.hpp"

namespace verdigris {

std::string WarmUp::describe() const { return "open the sessions that will prove parity"; }

Readiness WarmUp::check(Deadline) { return Ready{}; }

std::string WarmUp::apply(Deadline deadline) {
  facts_.sessions = std::make_unique<ParitySessions>(*source_, *target_, workers_, deadline, selection_);
  return std::to_string(workers_) + " sessions on each side";
}

void WarmUp::undo(Deadline) { facts_.sessions.reset(); }

}  // namespace verdigris
