// Planner statistics, which do not travel: without them every plan starts blind after the switch.
#pragma once

#include "controller/step.hpp"
#include "replication/server.hpp"

namespace verdigris {

class AnalyzeTarget final : public Step {
 public:
  AnalyzeTarget(Target target, int workers) : target_(target), workers_(workers) {}
  std::string_view name() const override { return "analyze_target"; }
  std::string describe() const override;
  Readiness check(Deadline deadline) override;
  PlannedActs statements(Deadline deadline) override;
  std::string apply(Deadline deadline) override;

 private:
  Target target_;
  int workers_;  // sessions at once
};

}  // namespace verdigris
