// Of a forced rollback: green is closed before blue opens, if it answers: fence function, connections, and the sessions
// that are there. One that was given up stays as it is, and is closed when it returns (recover).
#pragma once

#include <chrono>
#include <string>
#include <vector>

#include "controller/cutover_facts.hpp"
#include "controller/step.hpp"
#include "replication/fence.hpp"
#include "replication/server.hpp"

namespace verdigris {

class LeaveGreen final : public Step {
 public:
  LeaveGreen(Source green, std::chrono::milliseconds lock_timeout, std::vector<std::string> keep, CutoverFacts& facts)
      : green_(green), lock_timeout_(lock_timeout), keep_(std::move(keep)), facts_(facts) {}
  std::string_view name() const override { return "leave_green"; }
  std::string describe() const override;
  Readiness check(Deadline deadline) override;
  std::string apply(Deadline deadline) override;
  void undo(Deadline deadline) override;

 private:
  int end_sessions(Deadline deadline);
  ClosedFence close_tables(Deadline deadline);
  Source green_;
  std::chrono::milliseconds lock_timeout_;
  std::vector<std::string> keep_;
  CutoverFacts& facts_;
};

}  // namespace verdigris
