// The last moments before the window: what changed since all rows were compared is few enough to be compared while
// clients wait. Then the following rests, and prove_parity compares what is left.
#pragma once

#include "controller/cutover_facts.hpp"
#include "controller/playbook.hpp"
#include "controller/step.hpp"
#include "replication/server.hpp"

namespace verdigris {

class SettleParity final : public Step {
 public:
  SettleParity(Source source, Target target, VerifySettings settings, std::chrono::milliseconds patience, CutoverFacts& facts)
      : source_(source), target_(target), settings_(settings), patience_(patience), facts_(facts) {}
  std::string_view name() const override { return "settle_parity"; }
  std::string describe() const override;
  bool leaves_trace() const override { return false; }
  Readiness check(Deadline deadline) override;
  std::string apply(Deadline deadline) override;
  void undo(Deadline deadline) override;

 private:
  std::chrono::milliseconds expected(const Freshness& now) const;
  Source source_;
  Target target_;
  VerifySettings settings_;
  std::chrono::milliseconds patience_;
  CutoverFacts& facts_;
};

}  // namespace verdigris
