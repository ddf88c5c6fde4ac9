// Both sides note, before the first row is copied, that green may lose all of it with a crash: until the synced restart
// (leave_load_profile) it is nobody's to be led to. Undo forgets the notes.
#pragma once

#include <memory>

#include "controller/provision/provisioned_green.hpp"
#include "controller/step.hpp"
#include "replication/server.hpp"

namespace verdigris {

// Whether that side says so.
bool is_noted_as_loading(Server& on, Deadline deadline);

class BeginLoading final : public Step {
 public:
  BeginLoading(Source source, Target target, std::shared_ptr<ProvisionedGreen> green)
      : source_(source), target_(target), green_(std::move(green)) {}
  std::string_view name() const override { return "begin_loading"; }
  std::string describe() const override;
  Readiness check(Deadline deadline) override;
  PlannedActs statements(Deadline deadline) override;
  std::string apply(Deadline deadline) override;
  void undo(Deadline deadline) override;

 private:
  Source source_;
  Target target_;
  std::shared_ptr<ProvisionedGreen> green_;
};

}  // namespace verdigris
