#include "controller/steps/restore_schema.hpp"

#include "controller/shared_acts.hpp"
#include "replication/control_schema.hpp"
#include "replication/user_objects.hpp"

namespace verdigris {
namespace {

constexpr const char* kSchemaStarted = "schema:started";  // green was empty and what is on it now came by us
constexpr const char* kSchemaDone = "schema:pre-data";

std::string listed(const std::vector<std::string>& items) {
  constexpr std::size_t kMostShown = 20;
  std::string text;
  for (std::size_t i = 0; i < std::min(items.size(), kMostShown); ++i) text += (i == 0 ? "" : ", ") + items[i];
  if (items.size() > kMostShown) text += " and " + std::to_string(items.size() - kMostShown) + " more";
  return text;
}

}  // namespace

void note_schema_there(Connection& target, const std::string& deployment, Deadline deadline) {
  for (const char* key : {kSchemaStarted, kSchemaDone}) save_value(target, deployment, key, "true", deadline);
}

std::string RestoreSchema::describe() const {
  return settings_.is_present
             ? "see that the schema is on " + target_->color()
             : "restore " + source_->color() + "'s schema on " + target_->color() + ", without indexes";
}

void RestoreSchema::require_present(Deadline deadline) {
  const auto missing = missing_tables(source_->control(), target_->control(), settings_.filter, deadline);
  if (missing.empty()) return;
  throw Refused("schema.missing", target_->color() + " lacks: " + listed(missing),
                "Load the schema of " + source_->color() + " on " + target_->color() + ", then repeat the command.");
}

Readiness RestoreSchema::check(Deadline deadline) {
  Connection& target = target_->control();
  if (settings_.is_present) {
    require_present(deadline);
    return Done{};
  }
  const bool is_known = has_control_schema(target, deadline);
  if (is_known && saved_value(target, target_->deployment(), kSchemaDone, deadline)) return Done{};
  const auto found = user_objects(target, deadline);
  if (found.empty()) {
    find_dump_tool(settings_.tools, *source_, *target_, deadline);
    return Ready{};
  }
  if (!is_known || !saved_value(target, target_->deployment(), kSchemaStarted, deadline))
    throw Refused("target.not-empty", target_->color() + " (" + target_->endpoint() + ") is not empty: " + found,
                  "Give an empty database, or set replication.schema to present if the schema was loaded on purpose.");
  // The section is one transaction: what is there is all of it, or blue has changed since.
  if (missing_tables(source_->control(), target, settings_.filter, deadline).empty()) return Ready{};
  throw Refused("schema.changed",
                source_->color() + "'s schema has changed while it was restored on " + target_->color(),
                "Run abandon --drop-green, then prepare again.");
}

PlannedActs RestoreSchema::statements(Deadline deadline) {
  if (settings_.is_present) return {};
  PlannedActs out{saving(*target_, kSchemaStarted, "true")};
  add_programs(out, find_dump_tool(settings_.tools, *source_, *target_, deadline), *source_, *target_, SchemaSection::pre_data);
  out.push_back(saving(*target_, kSchemaDone, "true"));
  return out;
}

std::string RestoreSchema::apply(Deadline deadline) {
  if (std::holds_alternative<Done>(check(deadline))) return "the schema is there";
  Connection& target = target_->control();
  if (user_objects(target, deadline).empty()) {
    save_value(target, target_->deployment(), kSchemaStarted, "true", deadline);
    carry_schema(*source_, *target_, SchemaSection::pre_data, settings_.tools, deadline);
  }
  save_value(target, target_->deployment(), kSchemaDone, "true", deadline);
  return user_objects(target, deadline) + " restored";
}

void RestoreSchema::undo(Deadline deadline) {
  if (target_->is_given_up()) return;
  Connection& target = target_->control();
  if (settings_.is_present || !settings_.drop_target || !has_control_schema(target, deadline)) return;
  // Without our record the objects are not ours to drop.
  if (!saved_value(target, target_->deployment(), kSchemaStarted, deadline)) return;
  drop_user_objects(target, deadline);
  for (const auto& [key, value] : saved_values(target, target_->deployment(), "schema:", deadline))
    if (key != kSchemaStarted) forget_value(target, target_->deployment(), key, deadline);
  forget_value(target, target_->deployment(), kSchemaStarted, deadline);
}

}  // namespace verdigris
