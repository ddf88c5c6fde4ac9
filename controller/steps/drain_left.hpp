// Of a forced rollback: what green still sends is applied on blue, up to a last marker behind its fence. What cannot be
// drained must have been accepted as lost. A green that was given up has nothing to send.
#pragma once

#include "controller/invocation.hpp"
#include "controller/step.hpp"
#include "replication/server.hpp"
#include "replication/stream.hpp"

namespace verdigris {

class DrainLeft final : public Step {
 public:
  // decided_at: last_switch_decided().
  DrainLeft(Source green, Target blue, Streams back, AcceptedLoss accepted, std::optional<std::string> decided_at)
      : green_(green), blue_(blue), back_(std::move(back)), accepted_(accepted), decided_at_(std::move(decided_at)) {}
  std::string_view name() const override { return "drain_left"; }
  std::string describe() const override;
  bool leaves_trace() const override { return false; }
  Readiness check(Deadline deadline) override;
  std::string apply(Deadline deadline) override;

 private:
  Source green_;
  Target blue_;
  Streams back_;
  AcceptedLoss accepted_;
  std::optional<std::string> decided_at_;
};

}  // namespace verdigris
