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
  MeasureLag(Source source, Target target, Stream stream) : source_(source), target_(target), stream_(std::move(stream)) {}
  std::string_view name() const override { return "measure_lag"; }
  std::string describe() const override;
  bool leaves_trace() const override { return false; }
  Readiness check(Deadline deadline) override;
  PlannedActs statements(Deadline deadline) override;
  // Throws Refused "reads.lag".
  std::string apply(Deadline deadline) override;

 private:
  Bytes unread(Deadline deadline);
  Source source_;
  Target target_;
  Stream stream_;
};

}  // namespace verdigris
