// Applies the deployment's migrations on the target, each in one transaction together with its record. Undo runs their
// down.sql, last first.
#pragma once

#include "controller/migration/migration.hpp"
#include "controller/step.hpp"
#include "replication/server.hpp"

namespace verdigris {

class MigrateTarget final : public Step {
 public:
  MigrateTarget(Target target, std::vector<Migration> migrations, std::chrono::milliseconds lock_timeout)
      : target_(target), migrations_(std::move(migrations)), lock_timeout_(lock_timeout) {}
  std::string_view name() const override { return "migrate_target"; }
  std::string describe() const override;
  Readiness check(Deadline deadline) override;
  PlannedActs statements(Deadline deadline) override;
  std::string apply(Deadline deadline) override;
  void undo(Deadline deadline) override;

 private:
  Target target_;
  std::vector<Migration> migrations_;
  std::chrono::milliseconds lock_timeout_;
};

}  // namespace verdigris
