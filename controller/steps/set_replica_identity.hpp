// Gives every selected table that has no replica identity one, on the source before it is published, and on the target
// too if its schema does not come by our dump. Undo puts back what was there.
#pragma once

#include "controller/step.hpp"
#include "replication/replica_identity.hpp"
#include "replication/server.hpp"
#include "replication/table_selection.hpp"

namespace verdigris {

class SetReplicaIdentity final : public Step {
 public:
  struct Settings {
    TableSelection filter = {};
    bool may_change = true;          // replication.identity: auto
    bool is_schema_present = false;  // replication.schema: present
  };
  SetReplicaIdentity(Source source, Target target, Settings settings)
      : source_(source), target_(target), settings_(std::move(settings)) {}
  std::string_view name() const override { return "set_replica_identity"; }
  std::string describe() const override;
  Readiness check(Deadline deadline) override;
  PlannedActs statements(Deadline deadline) override;
  std::string apply(Deadline deadline) override;
  void undo(Deadline deadline) override;

 private:
  std::vector<IdentityChange> changes(Server& on, const Server& other, Deadline deadline);

  Source source_;
  Target target_;
  Settings settings_;
};

}  // namespace verdigris
