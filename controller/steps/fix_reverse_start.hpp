// L: the target's position at which the reverse stream will start, durable on the target before the line; and a last
// look that the way back is usable. Behind L there is only what clients write after the switch.
#pragma once

#include "controller/cutover_facts.hpp"
#include "controller/step.hpp"
#include "replication/server.hpp"
#include "replication/stream.hpp"

namespace verdigris {

class FixReverseStart final : public Step {
 public:
  FixReverseStart(Source source, Target target, Streams back, CutoverFacts& facts)
      : source_(source), target_(target), back_(std::move(back)), facts_(facts) {}
  std::string_view name() const override { return "fix_reverse_start"; }
  std::string describe() const override;
  bool leaves_trace() const override { return false; }
  Readiness check(Deadline deadline) override;
  PlannedActs statements(Deadline deadline) override;
  std::string apply(Deadline deadline) override;

 private:
  Source source_;
  Target target_;
  Streams back_;
  CutoverFacts& facts_;
};

}  // namespace verdigris
