// Before the window: what parity will not be able to prove is refused now, sessions for its proof are opened and its
// statements built, so that nothing is found or computed in the window that could be before it. What the source uses
// most is read into the target's cache, for the clients' first questions there.
#pragma once

#include "controller/cutover_facts.hpp"
#include "controller/step.hpp"
#include "healthcheck/check.hpp"
#include "replication/server.hpp"

namespace verdigris {

class WarmUp final : public Step {
 public:
  WarmUp(Source source, Target target, int workers, CheckSettings settings, CutoverFacts& facts)
      : source_(source), target_(target), workers_(workers), settings_(std::move(settings)), facts_(facts) {}
  std::string_view name() const override { return "warm_up"; }
  std::string describe() const override;
  bool leaves_trace() const override { return false; }
  Readiness check(Deadline deadline) override;
  std::string apply(Deadline deadline) override;
  void undo(Deadline deadline) override;

 private:
  bool is_followed(Deadline deadline);
  void require_no_gaps(Deadline deadline);
  std::string warm_cache(Deadline deadline);

  Source source_;
  Target target_;
  int workers_;
  CheckSettings settings_;  // tables and waivers
  CutoverFacts& facts_;
};

}  // namespace verdigris
