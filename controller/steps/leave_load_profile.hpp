// Green ends its load: checkpoint, fast stop, all of it made durable, the settings for good, start. The sessions with
// it, and its lease with them, are lost and taken anew, while blue's lease is held all the time; only then do both
// sides forget that it was loaded. Nothing to undo: a green with its settings for good does no harm.
#pragma once

#include <functional>
#include <memory>

#include "controller/provision/provisioned_green.hpp"
#include "controller/step.hpp"
#include "replication/server.hpp"

namespace verdigris {

class LeaveLoadProfile final : public Step {
 public:
  // reopen: brings the lost session back with its lease, and reads the journal again: throws if another controller came
  // between, or another server answers.
  LeaveLoadProfile(Source source, Target target, std::shared_ptr<ProvisionedGreen> green,
                   std::function<void(Deadline)> reopen, ProgressCallback progress)
      : source_(source), target_(target), green_(std::move(green)), reopen_(std::move(reopen)), progress_(std::move(progress)) {}
  std::string_view name() const override { return "leave_load_profile"; }
  std::string describe() const override;
  Readiness check(Deadline deadline) override;
  PlannedActs statements(Deadline deadline) override;
  std::string apply(Deadline deadline) override;

 private:
  void restart(Deadline deadline);
  void require_settings_for_good(Deadline deadline);

  Source source_;
  Target target_;
  std::shared_ptr<ProvisionedGreen> green_;
  std::function<void(Deadline)> reopen_;
  ProgressCallback progress_;
};

}  // namespace verdigris
