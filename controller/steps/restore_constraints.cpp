#include "controller/steps/restore_constraints.hpp"

#include "controller/shared_acts.hpp"
#include "replication/control_schema.hpp"
#include "replication/matviews.hpp"
#include "replication/replica_identity.hpp"

namespace verdigris {
namespace {

// Keys and indexes are there, and what is restored behind them in one transaction, this value with it.
constexpr const char* kRestThere = "schema:post-data-rest";
constexpr const char* kConstraintsDone = "schema:post-data";

}  // namespace

void note_constraints_there(Connection& target, const std::string& deployment, Deadline deadline) {
  for (const char* key : {kRestThere, kConstraintsDone}) save_value(target, deployment, key, "true", deadline);
}

std::string RestoreConstraints::describe() const {
  return settings_.is_present ? "fill the materialized views of " + target_->color()
                              : "build keys, indexes, foreign keys and triggers on " + target_->color();
}

Readiness RestoreConstraints::check(Deadline deadline) {
  Connection& target = target_->control();
  if (has_control_schema(target, deadline) && saved_value(target, target_->deployment(), kConstraintsDone, deadline))
    return Done{};
  return Ready{};
}

PlannedActs RestoreConstraints::statements(Deadline deadline) {
  PlannedActs out;
  if (!settings_.is_present) {
    add_post_data_programs(out, find_dump_tool(settings_.tools, *source_, *target_, deadline), *source_, *target_,
                           settings_.workers, saving(*target_, kRestThere, "true"));
    out.push_back(saving(*target_, "<identity:table, for each that is given one on " + source_->color() + ">", "<what was there>"));
  }
  const auto views = matviews_to_fill(source_->control(), deadline);
  for (const auto& view : views) out.push_back({target_->color(), filling_statement(view.name).text()});
  for (const auto& view : views)
    if (!view.stays_filled) out.push_back({target_->color(), emptying_statement(view.name).text()});
  out.push_back(saving(*target_, kConstraintsDone, "true"));
  return out;
}

std::string RestoreConstraints::apply(Deadline deadline) {
  if (std::holds_alternative<Done>(check(deadline))) return "constraints and indexes are there";
  Connection& target = target_->control();
  if (!settings_.is_present) {
    const std::string deployment = target_->deployment();
    const PostDataWork work{settings_.workers, saved_value(target, deployment, kRestThere, deadline).has_value(),
                            [&](Connection& on) { save_value(on, deployment, kRestThere, "true", deadline); }};
    carry_post_data(*source_, *target_, settings_.tools, work, progress_, deadline);
  }
  // The identities that we gave came along with the dump; what was there before must be known here too.
  if (!settings_.is_present) copy_saved_identities(source_->control(), target, target_->deployment(), deadline);
  const int views = refresh_matviews(source_->control(), *target_, deadline);
  save_value(target, target_->deployment(), kConstraintsDone, "true", deadline);
  return (settings_.is_present ? std::string("indexes were there") : std::string("keys, indexes and triggers built")) +
         ", " + std::to_string(views) + " materialized views filled";
}

}  // namespace verdigris
