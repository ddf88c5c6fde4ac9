// Below the line: the target accepts writes. It must be the very server that was proven, at or past L; anything else is
// for a person. Both functions, grants and limit in one transaction on the session that holds its lease.
#pragma once

#include "controller/cutover_facts.hpp"
#include "controller/step.hpp"
#include "replication/server.hpp"

namespace verdigris {

class OpenTarget final : public Step {
 public:
  OpenTarget(Target target, CutoverFacts& facts) : target_(target), facts_(facts) {}
  std::string_view name() const override { return "open_target"; }
  std::string describe() const override;
  Readiness check(Deadline deadline) override;
  PlannedActs statements(Deadline deadline) override;
  std::string apply(Deadline deadline) override;

 private:
  void require_same_past_line(Deadline deadline);
  Target target_;
  CutoverFacts& facts_;
};

}  // namespace verdigris
