// Behind the last reader: the side that follows takes no connections any more, as prepare or a rollback had left it. A
// session that is still in a transaction there goes on to its end; the write fence was closed all the time.
#pragma once

#include <string>
#include <vector>

#include "controller/step.hpp"
#include "replication/server.hpp"

namespace verdigris {

class CloseToReaders final : public Step {
 public:
  CloseToReaders(Target target, std::vector<std::string> keep) : target_(target), keep_(std::move(keep)) {}
  std::string_view name() const override { return "close_to_readers"; }
  std::string describe() const override;
  Readiness check(Deadline deadline) override;
  PlannedActs statements(Deadline deadline) override;
  std::string apply(Deadline deadline) override;
  void undo(Deadline deadline) override;

 private:
  Target target_;
  std::vector<std::string> keep_;
};

}  // namespace verdigris
