// The playbook's gates, all of them, as the record of what was answered: refused by their policies, or waited for at the
// start gate (start_gate.hpp), which asks them once more right before clients are held.
#pragma once

#include <memory>

#include "controller/gates/gate_watch.hpp"
#include "controller/playbook.hpp"
#include "controller/step.hpp"

namespace verdigris {

class AskGates final : public Step {
 public:
  AskGates(std::vector<GateSettings> gates, std::shared_ptr<GateWatch> watch)
      : gates_(std::move(gates)), watch_(std::move(watch)) {}
  std::string_view name() const override { return "ask_gates"; }
  std::string describe() const override;
  bool leaves_trace() const override { return false; }
  // Without programs: they are run only by a crossing.
  Readiness check(Deadline deadline) override;
  PlannedActs statements(Deadline deadline) override;
  std::string apply(Deadline deadline) override;

 private:
  std::vector<GateSettings> gates_;
  std::shared_ptr<GateWatch> watch_;
};

}  // namespace verdigris
