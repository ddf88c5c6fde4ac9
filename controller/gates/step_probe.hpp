// What a step before the window would refuse, asked while something else is waited for: it is told as soon as it is so,
// and refused when the step's turn comes.
#pragma once

#include <memory>

#include "controller/cutover_facts.hpp"
#include "controller/gates/probe.hpp"
#include "controller/step.hpp"
#include "replication/errors.hpp"

namespace verdigris {

class StepProbe final : public Probe {
 public:
  // facts: those that the step refers to, of its own. Those of the crossing hold sessions, which may be lost while it
  // waits.
  StepProbe(std::unique_ptr<CutoverFacts> facts, std::unique_ptr<Step> step)
      : Probe(std::string(step->name())), facts_(std::move(facts)), step_(std::move(step)) {}
  std::string describe() const override { return step_->describe(); }
  std::optional<GateAnswer> ask(Deadline) override {
    try {
      const auto readiness = step_->check(Deadline::after(std::chrono::minutes(1)));  // it may take longer than a gate
      if (const auto* blocked = std::get_if<Blocked>(&readiness)) return GateAnswer{blocked->why, blocked->hint};
      return GateAnswer{};
    } catch (const Refused& error) {
      return GateAnswer{error.what(), error.hint()};
    }
  }

 private:
  std::unique_ptr<CutoverFacts> facts_;
  std::unique_ptr<Step> step_;
};

}  // namespace verdigris
