// Below the line, and the end of the window: every pooler's file names the target, its running process has read it, and
// its clients go on there. Each pooler on its own: one that does not answer keeps nobody waiting at another. Once they go
// on, no server connection may be left that leads to where they were before.
#pragma once

#include "controller/step.hpp"
#include "controller/traffic.hpp"

namespace verdigris {

class MoveTraffic final : public Step {
 public:
  // Connections that were made before the move: behind a pause there is none; without one they end by themselves.
  enum class Earlier { are_gone, may_end_later };
  MoveTraffic(Traffic& traffic, Endpoint to, Earlier earlier = Earlier::may_end_later)
      : traffic_(traffic), to_(std::move(to)), earlier_(earlier) {}
  std::string_view name() const override { return "move_traffic"; }
  std::string describe() const override;
  Readiness check(Deadline deadline) override;
  PlannedActs statements(Deadline deadline) override;
  std::string apply(Deadline deadline) override;

 private:
  std::vector<std::string> left_behind(Deadline deadline);
  void wait_until_none_is_left(Deadline deadline);
  Traffic& traffic_;
  Endpoint to_;
  Earlier earlier_;
};

}  // namespace verdigris
