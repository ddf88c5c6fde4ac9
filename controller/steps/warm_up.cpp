#include "controller/steps/warm_up.hpp"

#include "controller/steps/copy_sequences.hpp"

namespace verdigris {

std::string WarmUp::describe() const { return "open the sessions that will prove parity, prepare what the window asks"; }

Readiness WarmUp::check(Deadline) { return Ready{}; }

std::string WarmUp::apply(Deadline deadline) {
  facts_.sessions = std::make_unique<ParitySessions>(*source_, *target_, workers_, deadline, selection_);
  sequences_of(facts_, source_, target_).prepare(deadline);
  return std::to_string(workers_) + " sessions on each side";
}

void WarmUp::undo(Deadline) {
  facts_.sessions.reset();
  facts_.sequences.reset();
}

}  // namespace verdigris
