// The schema without keys, indexes and triggers, from the source to an empty target; or, with replication.schema:
// present, the proof that it is there. Undo removes everything from the target if drop_target says so, else nothing.
#pragma once

#include "controller/step.hpp"
#include "controller/steps/schema_settings.hpp"
#include "replication/server.hpp"

namespace verdigris {

// Of a target that came with the schema: the step finds it done.
void note_schema_there(Connection& target, const std::string& deployment, Deadline deadline);

class RestoreSchema final : public Step {
 public:
  RestoreSchema(Source source, Target target, SchemaSettings settings)
      : source_(source), target_(target), settings_(std::move(settings)) {}
  std::string_view name() const override { return "restore_schema"; }
  std::string describe() const override;
  Readiness check(Deadline deadline) override;
  PlannedActs statements(Deadline deadline) override;
  std::string apply(Deadline deadline) override;
  void undo(Deadline deadline) override;

 private:
  void require_present(Deadline deadline);

  Source source_;
  Target target_;
  SchemaSettings settings_;
};

}  // namespace verdigris
