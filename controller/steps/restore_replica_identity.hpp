// Puts back the replica identities that prepare set for the time of replication.
#pragma once

#include "controller/step.hpp"
#include "replication/server.hpp"

namespace verdigris {

class RestoreReplicaIdentity final : public Step {
 public:
  explicit RestoreReplicaIdentity(Server& server) : server_(server) {}
  std::string_view name() const override { return "restore_replica_identity"; }
  std::string describe() const override;
  Readiness check(Deadline deadline) override;
  PlannedActs statements(Deadline deadline) override;
  std::string apply(Deadline deadline) override;

 private:
  Server& server_;
};

}  // namespace verdigris
