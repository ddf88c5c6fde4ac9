// The write fence and the connection fence of the side that does not serve, closed from provisioning until it is opened by
// a switch. Only the controller's own role writes there: its migrations and backfills.
#pragma once

#include <chrono>
#include <string>
#include <vector>

#include "controller/step.hpp"
#include "replication/server.hpp"

namespace verdigris {

class CloseFollower final : public Step {
 public:
  CloseFollower(Target target, std::chrono::milliseconds lock_timeout, std::vector<std::string> keep)
      : target_(target), lock_timeout_(lock_timeout), keep_(std::move(keep)) {}
  std::string_view name() const override { return "close_follower"; }
  std::string describe() const override;
  Readiness check(Deadline deadline) override;
  PlannedActs statements(Deadline deadline) override;
  std::string apply(Deadline deadline) override;
  void undo(Deadline deadline) override;

 private:
  Target target_;
  std::chrono::milliseconds lock_timeout_;
  std::vector<std::string> keep_;
};

}  // namespace verdigris
