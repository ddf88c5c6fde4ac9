// The end of the way back: the serving side loses its fence triggers. The side left behind stays closed unless it was asked
// for by name to be opened.
#pragma once

#include <chrono>

#include "controller/step.hpp"
#include "replication/server.hpp"

namespace verdigris {

class OpenForGood final : public Step {
 public:
  OpenForGood(Server& server, std::chrono::milliseconds lock_timeout) : server_(server), lock_timeout_(lock_timeout) {}
  std::string_view name() const override { return "open_for_good"; }
  std::string describe() const override;
  Readiness check(Deadline deadline) override;
  PlannedActs statements(Deadline deadline) override;
  std::string apply(Deadline deadline) override;

 private:
  Server& server_;
  std::chrono::milliseconds lock_timeout_;
};

}  // namespace verdigris
