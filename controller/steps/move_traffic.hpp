// Below the line, and the end of the window: every pooler's file names the target, its running process has read it, and
// its clients go on there. Each pooler on its own: one that does not answer keeps nobody waiting at another.
#pragma once

#include "controller/step.hpp"
#include "controller/traffic.hpp"

namespace verdigris {

class MoveTraffic final : public Step {
 public:
  MoveTraffic(Traffic& traffic, Endpoint to) : traffic_(traffic), to_(std::move(to)) {}
  std::string_view name() const override { return "move_traffic"; }
  std::string describe() const override;
  Readiness check(Deadline deadline) override;
  PlannedActs statements(Deadline deadline) override;
  std::string apply(Deadline deadline) override;

 private:
  Traffic& traffic_;
  Endpoint to_;
};

}  // namespace verdigris
