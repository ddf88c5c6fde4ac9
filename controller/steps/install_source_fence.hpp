// The fence of the serving side, made long before it is needed: function open, triggers enabled on every member of every
// partition tree. Clients notice nothing; in the window only the function's body is replaced.
#pragma once

#include <chrono>

#include "controller/step.hpp"
#include "replication/server.hpp"

namespace verdigris {

class InstallSourceFence final : public Step {
 public:
  InstallSourceFence(Source source, std::chrono::milliseconds lock_timeout)
      : source_(source), lock_timeout_(lock_timeout) {}
  std::string_view name() const override { return "install_source_fence"; }
  std::string describe() const override;
  Readiness check(Deadline deadline) override;
  PlannedActs statements(Deadline deadline) override;
  std::string apply(Deadline deadline) override;
  void undo(Deadline deadline) override;

 private:
  Source source_;
  std::chrono::milliseconds lock_timeout_;
};

}  // namespace verdigris
