// Before readers are led to the side that follows: a row that is written on the source now must be there within two
// seconds, else they would read an old state. Changes nothing but for that row.
#pragma once

#include "controller/step.hpp"
#include "replication/lsn.hpp"
#include "replication/server.hpp"
#include "replication/stream.hpp"

namespace verdigris {

class MeasureLag final : public Step {
 public:
  MeasureLag(Source source, Target target, Streams streams) : source_(source), target_(target), streams_(std::move(streams)) {}
  std::string_view name() const override { return "measure_lag"; }
  std::string describe() const override;
  bool leaves_trace() const override { return false; }
  Readiness check(Deadline deadline) override;
  PlannedActs statements(Deadline deadline) override;
  // Throws Refused "reads.lag".
  std::string apply(Deadline deadline) override;

 private:
  Source source_;
  Target target_;
  Streams streams_;
};

}  // namespace verdigris
