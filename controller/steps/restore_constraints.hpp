// Keys, indexes, foreign keys and triggers after the data, then the materialized views. Taken back together with the
// schema (restore_schema).
#pragma once

#include "controller/step.hpp"
#include "controller/steps/schema_settings.hpp"
#include "replication/server.hpp"

namespace verdigris {

// Of a target that came with its indexes, keys and filled views: the step finds it done.
void note_constraints_there(Connection& target, const std::string& deployment, Deadline deadline);

class RestoreConstraints final : public Step {
 public:
  RestoreConstraints(Source source, Target target, SchemaSettings settings, ProgressCallback progress)
      : source_(source), target_(target), settings_(std::move(settings)), progress_(std::move(progress)) {}
  std::string_view name() const override { return "restore_constraints"; }
  std::string describe() const override;
  Readiness check(Deadline deadline) override;
  PlannedActs statements(Deadline deadline) override;
  std::string apply(Deadline deadline) override;

 private:
  Source source_;
  Target target_;
  SchemaSettings settings_;
  ProgressCallback progress_;
};

}  // namespace verdigris
