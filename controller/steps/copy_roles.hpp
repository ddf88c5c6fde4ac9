// Makes the roles that own the schema and use the database on the target. Roles are the cluster's and may serve others,
// so nothing is taken away, neither now nor when the plan is undone.
#pragma once

#include "controller/step.hpp"
#include "replication/roles.hpp"
#include "replication/server.hpp"

namespace verdigris {

class CopyRoles final : public Step {
 public:
  // ours: the controller's role and replication's.
  CopyRoles(Source source, Target target, std::vector<std::string> ours)
      : source_(source), target_(target), ours_(std::move(ours)) {}
  std::string_view name() const override { return "copy_roles"; }
  std::string describe() const override;
  Readiness check(Deadline deadline) override;
  PlannedActs statements(Deadline deadline) override;
  std::string apply(Deadline deadline) override;

 private:
  RoleReport run(bool dry, Deadline deadline);

  Source source_;
  Target target_;
  std::vector<std::string> ours_;
};

}  // namespace verdigris
