// A program of the operator by argv, without a shell: exit code 0 is green. It runs beside the wait, so that a signal
// is heard meanwhile; one that does not end in time is ended with its group.
#pragma once

#include <chrono>
#include <optional>

#include "controller/gates/probe.hpp"
#include "controller/playbook.hpp"
#include "controller/process.hpp"

namespace verdigris {

class CommandProbe final : public Probe {
 public:
  explicit CommandProbe(CommandGate gate) : Probe(gate.id), gate_(std::move(gate)) {}
  ~CommandProbe() override;
  std::string describe() const override;
  bool runs_program() const override { return true; }
  std::optional<GateAnswer> ask(Deadline deadline) override;

 private:
  void start();
  std::string last_line();
  CommandGate gate_;
  std::optional<ChildProcess> child_;
  std::chrono::steady_clock::time_point began_{};
  int words_ = -1;  // a file in memory with what it says
};

}  // namespace verdigris
