#include "controller/steps/restore_replica_identity.hpp"

#include "controller/shared_acts.hpp"
#include "replication/control_schema.hpp"
#include "replication/replica_identity.hpp"

namespace verdigris {

std::string RestoreReplicaIdentity::describe() const {
  return "put back the replica identities of " + server_.color();
}

Readiness RestoreReplicaIdentity::check(Deadline deadline) {
  if (saved_values(server_.control(), server_.deployment(), "identity:", deadline).empty()) return Done{};
  return Ready{};
}

PlannedActs RestoreReplicaIdentity::statements(Deadline deadline) {
  PlannedActs out;
  for (const auto& one : identities_to_restore(server_.control(), server_.deployment(), deadline)) {
    if (one.statement) out.push_back({server_.color(), one.statement->text()});
    out.push_back(forgetting(server_, one.key));
  }
  return out;
}

std::string RestoreReplicaIdentity::apply(Deadline deadline) {
  const auto saved = saved_values(server_.control(), server_.deployment(), "identity:", deadline);
  restore_identities(server_.control(), server_.deployment(), deadline);
  return std::to_string(saved.size()) + " tables of " + server_.color() + " have their identity back";
}

}  // namespace verdigris
