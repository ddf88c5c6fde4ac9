// How much of the source's log the target has not confirmed, and since when it is little enough.
#pragma once

#include <chrono>

#include "controller/gates/probe.hpp"
#include "controller/playbook.hpp"
#include "replication/server.hpp"
#include "replication/stream.hpp"

namespace verdigris {

class LagProbe final : public Probe {
 public:
  LagProbe(Source source, Target target, Streams streams, LagGate gate)
      : Probe("lag"), source_(source), target_(target), streams_(std::move(streams)), gate_(gate) {}
  std::string describe() const override;
  std::optional<GateAnswer> ask(Deadline deadline) override;

 private:
  Source source_;
  Target target_;
  Streams streams_;
  LagGate gate_;
  std::optional<std::chrono::steady_clock::time_point> small_since_;
};

}  // namespace verdigris
