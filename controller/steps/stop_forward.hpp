// Clients run on the target: the stream that led to it ends. Returns only when its worker is gone, because DISABLE alone
// returns before, and a stream that still runs would echo what the reverse stream brings.
#pragma once

#include "controller/step.hpp"
#include "replication/server.hpp"
#include "replication/stream.hpp"

namespace verdigris {

class StopForward final : public Step {
 public:
  StopForward(Target target, Streams streams) : target_(target), streams_(std::move(streams)) {}
  std::string_view name() const override { return "stop_forward"; }
  std::string describe() const override;
  Readiness check(Deadline deadline) override;
  PlannedActs statements(Deadline deadline) override;
  std::string apply(Deadline deadline) override;

 private:
  Target target_;
  Streams streams_;
};

}  // namespace verdigris
