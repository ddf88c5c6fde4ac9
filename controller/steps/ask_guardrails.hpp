// The last look before clients wait: what was true when the plan was begun must be true now. Cheap questions only, of
// the source and the target of this crossing, whichever colour they have. Changes nothing.
#pragma once

#include "controller/bypass.hpp"
#include "controller/cutover_facts.hpp"
#include "controller/step.hpp"
#include "healthcheck/check.hpp"
#include "replication/stream.hpp"

namespace verdigris {

class AskGuardrails final : public Step {
 public:
  // patience: how long sessions beside the pooler may take to end, if they are waited for.
  AskGuardrails(Source source, Target target, Streams there, CheckSettings settings, std::chrono::milliseconds patience,
                Bypass bypass, CutoverFacts& facts)
      : source_(source), target_(target), there_(std::move(there)), settings_(std::move(settings)), patience_(patience),
        bypass_(std::move(bypass)), facts_(facts) {}
  std::string_view name() const override { return "ask_guardrails"; }
  std::string describe() const override;
  bool leaves_trace() const override { return false; }
  Readiness check(Deadline deadline) override;
  std::string apply(Deadline deadline) override;

 private:
  std::optional<Blocked> first_failure(Deadline deadline);
  Findings ask(Deadline deadline);
  Findings ask_fences(Deadline deadline);
  std::string hint_of(const Finding& finding) const;

  Source source_;
  Target target_;
  Streams there_;
  CheckSettings settings_;  // waivers and tables; what prepare needs is left out
  std::chrono::milliseconds patience_;
  Bypass bypass_;
  CutoverFacts& facts_;
};

}  // namespace verdigris
