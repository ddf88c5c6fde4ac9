// Before the window: every pooler is the one meant, reads the file meant, and the file for the target lies ready beside
// it, so that only a rename remains. What can be wrong at a pooler is found here, where it costs nobody anything.
#pragma once

#include "controller/step.hpp"
#include "controller/traffic.hpp"

namespace verdigris {

class StageTraffic final : public Step {
 public:
  StageTraffic(Traffic& traffic, Endpoint from, Endpoint to, std::chrono::milliseconds budget)
      : traffic_(traffic), from_(std::move(from)), to_(std::move(to)), budget_(budget) {}
  std::string_view name() const override { return "stage_traffic"; }
  std::string describe() const override;
  bool leaves_trace() const override { return false; }
  Readiness check(Deadline deadline) override;
  PlannedActs statements(Deadline deadline) override;
  std::string apply(Deadline deadline) override;
  void undo(Deadline deadline) override;

 private:
  Traffic& traffic_;
  Endpoint from_;
  Endpoint to_;
  std::chrono::milliseconds budget_;
};

}  // namespace verdigris
