#include "controller/steps/set_replica_identity.hpp"

#include "controller/shared_acts.hpp"
#include "replication/control_schema.hpp"
#include "replication/replica_identity.hpp"

namespace verdigris {

std::string SetReplicaIdentity::describe() const {
  return "give tables without a replica identity one: a unique index, else FULL";
}

std::vector<IdentityChange> SetReplicaIdentity::changes(Server& on, const Server& other, Deadline deadline) {
  auto list = plan_identities(on.control(), settings_.filter, other.major(), deadline);
  if (!settings_.may_change) require_no_change(on.control(), list);
  return list;
}

Readiness SetReplicaIdentity::check(Deadline deadline) {
  if (!changes(*source_, *target_, deadline).empty()) return Ready{};
  if (settings_.is_schema_present && !changes(*target_, *source_, deadline).empty()) return Ready{};
  return Done{};
}

PlannedActs SetReplicaIdentity::statements(Deadline deadline) {
  PlannedActs out = identity_acts(*source_, changes(*source_, *target_, deadline));
  if (!settings_.is_schema_present) return out;
  const auto on_target = identity_acts(*target_, changes(*target_, *source_, deadline));
  out.insert(out.end(), on_target.begin(), on_target.end());
  return out;
}

std::string SetReplicaIdentity::apply(Deadline deadline) {
  const auto on_source = changes(*source_, *target_, deadline);
  const auto on_target =
      settings_.is_schema_present ? changes(*target_, *source_, deadline) : std::vector<IdentityChange>{};
  apply_identities(source_->control(), source_->deployment(), on_source, deadline);
  apply_identities(target_->control(), target_->deployment(), on_target, deadline);
  return std::to_string(on_source.size() + on_target.size()) + " tables got a replica identity";
}

void SetReplicaIdentity::undo(Deadline deadline) {
  for (Server* side : {&*source_, &*target_})
    if (!side->is_given_up() && has_control_schema(side->control(), deadline))
      restore_identities(side->control(), side->deployment(), deadline);
}

}  // namespace verdigris
