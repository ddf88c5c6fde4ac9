// The side that follows takes connections for readers, while its write fence stays closed: that one function, not the
// connection fence, is what keeps writers out there. It is looked at in the transaction that opens, which is rolled back
// if it would let anybody write.
#pragma once

#include <string>
#include <vector>

#include "controller/step.hpp"
#include "replication/server.hpp"

namespace verdigris {

class OpenToReaders final : public Step {
 public:
  // keep: roles that may connect although it is closed, for the undo.
  OpenToReaders(Target target, std::vector<std::string> keep) : target_(target), keep_(std::move(keep)) {}
  std::string_view name() const override { return "open_to_readers"; }
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
