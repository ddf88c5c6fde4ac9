#include "controller/steps/migrate_target.hpp"

namespace verdigris {

std::string MigrateTarget::describe() const {
  return "apply " + std::to_string(migrations_.size()) + " migrations on " + target_->color();
}

Readiness MigrateTarget::check(Deadline deadline) {
  if (pending_migrations(target_->control(), target_->deployment(), migrations_, deadline).empty()) return Done{};
  return Ready{};
}

std::string MigrateTarget::apply(Deadline deadline) {
  const auto pending = pending_migrations(target_->control(), target_->deployment(), migrations_, deadline);
  apply_migrations(target_->control(), target_->deployment(), migrations_, lock_timeout_, deadline);
  return std::to_string(pending.size()) + " migrations applied";
}

void MigrateTarget::undo(Deadline deadline) {
  if (target_->is_given_up()) return;
  revert_migrations(target_->control(), target_->deployment(), migrations_, lock_timeout_, deadline);
}

}  // namespace verdigris
