// Of a forced rollback: clients are held if the poolers can do it, which spares them errors; a pooler that cannot is no
// reason to leave clients without a server. The file that leads to blue is laid ready first.
#pragma once

#include "controller/step.hpp"
#include "controller/traffic.hpp"
#include "replication/server.hpp"

namespace verdigris {

class HoldTraffic final : public Step {
 public:
  HoldTraffic(Target blue, Traffic& traffic, Endpoint to) : blue_(blue), traffic_(traffic), to_(std::move(to)) {}
  std::string_view name() const override { return "hold_traffic"; }
  std::string describe() const override;
  Readiness check(Deadline deadline) override;
  std::string apply(Deadline deadline) override;
  void undo(Deadline deadline) override;

 private:
  Target blue_;
  Traffic& traffic_;
  Endpoint to_;
};

}  // namespace verdigris
