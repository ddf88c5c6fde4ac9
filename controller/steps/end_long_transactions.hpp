// Gate long_transactions with action: terminate: sessions of clients whose transaction is too old are ended, as the last
// act before clients are held. A superuser's are left alone.
#pragma once

#include <chrono>
#include <memory>

#include "controller/gates/gate_watch.hpp"
#include "controller/step.hpp"
#include "replication/server.hpp"

namespace verdigris {

class EndLongTransactions final : public Step {
 public:
  // watch: with an ender.
  EndLongTransactions(Source source, std::shared_ptr<GateWatch> watch) : source_(source), watch_(std::move(watch)) {}
  std::string_view name() const override { return "end_long_transactions"; }
  std::string describe() const override;
  bool leaves_trace() const override { return false; }
  Readiness check(Deadline) override { return Ready{}; }
  PlannedActs statements(Deadline deadline) override;
  std::string apply(Deadline deadline) override;

 private:
  Source source_;
  std::shared_ptr<GateWatch> watch_;
};

}  // namespace verdigris
