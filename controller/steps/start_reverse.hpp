// The way back: the old source follows the new serving side from L on. The origin of each stream is moved to L once, before
// the first ENABLE; the slot's own position is never touched. Done when a marker of the serving side has come back.
#pragma once

#include "controller/cutover_facts.hpp"
#include "controller/step.hpp"
#include "replication/server.hpp"
#include "replication/stream.hpp"

namespace verdigris {

class StartReverse final : public Step {
 public:
  StartReverse(Source follower, Target serving, Streams back, CutoverFacts& facts)
      : follower_(follower), serving_(serving), back_(std::move(back)), facts_(facts) {}
  std::string_view name() const override { return "start_reverse"; }
  std::string describe() const override;
  bool may_be_given_up() const override { return true; }
  Readiness check(Deadline deadline) override;
  PlannedActs statements(Deadline deadline) override;
  std::string apply(Deadline deadline) override;

 private:
  void require_slot_not_past(const Stream& stream, Lsn applied, Deadline deadline);
  void enable_from_line(const Stream& stream, unsigned subscription, Deadline deadline);
  Source follower_;  // served before the plan
  Target serving_;
  Streams back_;
  CutoverFacts& facts_;
};

}  // namespace verdigris
