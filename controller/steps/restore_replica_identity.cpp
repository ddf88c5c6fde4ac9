#include "controller/steps/restore_replica_identity.hpp"

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

std::string RestoreReplicaIdentity::apply(Deadline deadline) {
  const auto saved = saved_values(server_.control(), server_.deployment(), "identity:", deadline);
  restore_identities(server_.control(), server_.deployment(), deadline);
  return std::to_string(saved.size()) + " tables of " + server_.color() + " have their identity back";
}

}  // namespace verdigris
