// The playbook's gates, all of them, when everything else is quiet: waited for or refused by their policies; then, if
// it is their policy, long transactions are ended. Asked once more right before clients are held (start_gate.hpp).
#pragma once

#include <memory>

#include "controller/gates/gate_watch.hpp"
#include "controller/playbook.hpp"
#include "controller/step.hpp"
#include "replication/server.hpp"

namespace verdigris {

class AskGates final : public Step {
 public:
  AskGates(Source source, std::vector<GateSettings> gates, std::shared_ptr<GateWatch> watch)
      : source_(source), gates_(std::move(gates)), watch_(std::move(watch)) {}
  std::string_view name() const override { return "ask_gates"; }
  std::string describe() const override;
  bool leaves_trace() const override { return false; }
  // Without programs: they are run only by a crossing.
  Readiness check(Deadline deadline) override;
  PlannedActs statements(Deadline deadline) override;
  std::string apply(Deadline deadline) override;

 private:
  Source source_;
  std::vector<GateSettings> gates_;
  std::shared_ptr<GateWatch> watch_;
};

}  // namespace verdigris
