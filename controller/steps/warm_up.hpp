// Before the window: sessions for the proof of parity are opened and its statements built, so that nothing is computed in
// the window that could be computed before it.
#pragma once

#include "controller/cutover_facts.hpp"
#include "controller/step.hpp"
#include "replication/server.hpp"
#include "replication/table_selection.hpp"

namespace verdigris {

class WarmUp final : public Step {
 public:
  WarmUp(Source source, Target target, int workers, TableSelection selection, CutoverFacts& facts)
      : source_(source), target_(target), workers_(workers), selection_(std::move(selection)), facts_(facts) {}
  std::string_view name() const override { return "warm_up"; }
  std::string describe() const override;
  bool leaves_trace() const override { return false; }
  Readiness check(Deadline deadline) override;
  std::string apply(Deadline deadline) override;
  void undo(Deadline deadline) override;

 private:
  Source source_;
  Target target_;
  int workers_;
  TableSelection selection_;
  CutoverFacts& facts_;
};

}  // namespace verdigris
