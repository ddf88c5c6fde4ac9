// Before the window: waits until a switch would be short. Marker round trips below a limit several times running, no old
// write transaction on the source, no VACUUM, ANALYZE or index build that holds what the fence must lock.
#pragma once

#include <chrono>
#include <memory>
#include <optional>
#include <string>

#include "controller/bypass.hpp"
#include "controller/gates/gate_watch.hpp"
#include "controller/step.hpp"
#include "replication/apply_watch.hpp"
#include "replication/server.hpp"
#include "replication/stream.hpp"

namespace verdigris {

class WaitForQuietMoment final : public Step {
 public:
  WaitForQuietMoment(Source source, Target target, Streams streams, std::chrono::milliseconds patience, Bypass bypass,
                     AutovacuumPolicy autovacuum, std::shared_ptr<GateWatch> watch)
      : source_(source),
        target_(target),
        streams_(std::move(streams)),
        patience_(patience),
        bypass_(std::move(bypass)),
        autovacuum_(autovacuum),
        watch_(std::move(watch)) {}
  std::string_view name() const override { return "wait_for_quiet_moment"; }
  std::string describe() const override;
  bool leaves_trace() const override { return false; }
  Readiness check(Deadline deadline) override;
  PlannedActs statements(Deadline deadline) override;
  std::string apply(Deadline deadline) override;

 private:
  std::optional<std::chrono::milliseconds> round_trip(ApplyWatch& watch, Deadline until, Deadline deadline);
  std::optional<std::string> blocker(Deadline deadline);
  std::vector<int> those_that_are_ended(Deadline deadline);
  std::optional<std::string> old_writer(const std::vector<int>& ended, Deadline deadline);
  std::optional<std::string> lock_holder(const std::vector<int>& ended, Deadline deadline);
  Source source_;
  Target target_;
  Streams streams_;
  std::chrono::milliseconds patience_;
  Bypass bypass_;
  AutovacuumPolicy autovacuum_;
  std::shared_ptr<GateWatch> watch_;
};

}  // namespace verdigris
