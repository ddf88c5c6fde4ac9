// Of a forced rollback: clients are held if the poolers can do it, which spares them errors; a pooler that cannot is no
// reason to leave clients without a server. The file that leads to blue is laid ready first.
#pragma once

#include "controller/step.hpp"
#include "controller/traffic.hpp"

namespace verdigris {

class HoldTraffic final : public Step {
 public:
  // over: a crossing that is open beneath; undone, it goes on only with green.
  enum class Over { nothing, crossing };
  HoldTraffic(Traffic& traffic, Endpoint to, Over over) : traffic_(traffic), to_(std::move(to)), over_(over) {}
  std::string_view name() const override { return "hold_traffic"; }
  std::string describe() const override;
  Readiness check(Deadline deadline) override;
  std::string apply(Deadline deadline) override;
  void undo(Deadline deadline) override;

 private:
  Traffic& traffic_;
  Endpoint to_;
  Over over_;
};

}  // namespace verdigris
