// Writes the source's last marker and waits until the target has applied it: by each stream its row is visible there and
// the origin, flushed, is at or past the position read inside the marker's transaction. Never a lag number (cutover.md 3 and 4).
// Standbys that may be promoted have flushed the fence by then: none can come up open.
// Meanwhile the last foreign sessions of the source end: after it nothing there moves any more, sequences neither, and
// both sides' sequences are read.
#pragma once

#include "controller/cutover_facts.hpp"
#include "controller/playbook.hpp"
#include "controller/source_look.hpp"
#include "controller/step.hpp"
#include "replication/server.hpp"
#include "replication/stream.hpp"

namespace verdigris {

class DrainToMarker final : public Step {
 public:
  DrainToMarker(Source source, Target target, Streams streams, const FenceSettings& fence, std::vector<std::string> promotable,
                CutoverFacts& facts)
      : source_(source), target_(target), streams_(std::move(streams)), fence_(fence), promotable_(std::move(promotable)), facts_(facts) {}
  std::string_view name() const override { return "drain_to_marker"; }
  std::string describe() const override;
  Readiness check(Deadline deadline) override;
  PlannedActs statements(Deadline deadline) override;
  std::string apply(Deadline deadline) override;

 private:
  bool is_written(Deadline deadline);
  bool is_all_confirmed(Deadline deadline);
  bool is_drained(const std::vector<AppliedStream>& applied, Deadline deadline);
  void compare_sequences(SourceLook& look, Deadline deadline);
  void drain(const std::vector<AppliedStream>& applied, ApplyWatch& watch, Deadline deadline);
  void wait_for_standbys(Deadline deadline);
  Source source_;
  Target target_;
  Streams streams_;
  FenceSettings fence_;
  std::vector<std::string> promotable_;
  CutoverFacts& facts_;
};

}  // namespace verdigris
