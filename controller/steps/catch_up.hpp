// Waits until the target has applied what was written during the copy: a marker written on the source arrives soon, and
// little of its log is left unread.
#pragma once

#include "controller/step.hpp"
#include "replication/server.hpp"
#include "replication/stream.hpp"
#include "replication/tool_runner.hpp"

namespace verdigris {

class CatchUp final : public Step {
 public:
  CatchUp(Source source, Target target, Streams streams, ProgressCallback progress)
      : source_(source), target_(target), streams_(std::move(streams)), progress_(std::move(progress)) {}
  std::string_view name() const override { return "catch_up"; }
  std::string describe() const override;
  Readiness check(Deadline deadline) override;
  PlannedActs statements(Deadline deadline) override;
  std::string apply(Deadline deadline) override;

 private:

  Source source_;
  Target target_;
  Streams streams_;
  ProgressCallback progress_;
};

}  // namespace verdigris
