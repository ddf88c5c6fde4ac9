#include "controller/steps/migrate_target.hpp"

#include "replication/fence.hpp"

namespace verdigris {

std::string MigrateTarget::describe() const {
  return "apply " + std::to_string(migrations_.size()) + " migrations on " + target_->color();
}

Readiness MigrateTarget::check(Deadline deadline) {
  if (pending_migrations(target_->control(), target_->deployment(), migrations_, deadline).empty()) return Done{};
  return Ready{};
}

PlannedActs MigrateTarget::statements(Deadline deadline) {
  const std::string here = target_->color();
  const auto pending = pending_migrations(target_->control(), target_->deployment(), migrations_, deadline);
  if (pending.empty()) return {};
  PlannedActs out{{here, migration_table_statement().text()}};
  for (std::size_t i = migrations_.size() - pending.size(); i < migrations_.size(); ++i) {
    out.push_back({here, migrations_[i].up});
    out.push_back({here, migration_record_statement().text(), {target_->deployment(), migrations_[i].name, migrations_[i].sha256}});
  }
  return out;
}

std::string MigrateTarget::apply(Deadline deadline) {
  const auto pending = pending_migrations(target_->control(), target_->deployment(), migrations_, deadline);
  apply_migrations(target_->control(), target_->deployment(), migrations_, lock_timeout_, deadline);
  return std::to_string(pending.size()) + " migrations applied";
}

void MigrateTarget::undo(Deadline deadline) {
  if (target_->is_given_up()) return;
  // After a rollback the fence is closed for us too, and a down.sql may write rows.
  if (fence_state(target_->control(), deadline) == FenceState::closed) {
    Transaction transaction(target_->control(), deadline);
    set_fence(transaction, FenceState::following);
    transaction.commit();
  }
  revert_migrations(target_->control(), target_->deployment(), migrations_, lock_timeout_, deadline);
}

}  // namespace verdigris
