#include "controller/steps/copy_roles.hpp"

#include "replication/access.hpp"
#include "replication/control_schema.hpp"

namespace verdigris {

std::string CopyRoles::describe() const {
  return "make " + source_->color() + "'s roles, with verifiers, memberships, settings and grants, on " +
         target_->color();
}

RoleReport CopyRoles::run(bool dry, Deadline deadline) {
  Connection& target = target_->control();
  const bool is_closed =
      has_control_schema(target, deadline) && is_access_closed(target, target_->deployment(), deadline);
  const RoleScope scope{.ours = ours_, .closed_deployment = is_closed ? target_->deployment() : ""};
  return copy_roles(source_->control(), target, scope, dry, deadline);
}

Readiness CopyRoles::check(Deadline deadline) {
  if (run(true, deadline).changes() == 0) return Done{};
  return Ready{};
}

PlannedActs CopyRoles::statements(Deadline deadline) {
  PlannedActs out;
  for (const auto& statement : run(true, deadline).statements) out.push_back({target_->color(), statement});
  return out;
}

std::string CopyRoles::apply(Deadline deadline) {
  const RoleReport report = run(false, deadline);
  std::string text = std::to_string(report.roles) + " roles, " + std::to_string(report.memberships) + " memberships, " +
                     std::to_string(report.settings) + " settings, " + std::to_string(report.grants) + " grants";
  for (const auto& role : report.overwritten)
    text += "; " + role + " was on " + target_->color() + " and has " + source_->color() + "'s password and attributes now";
  for (const auto& setting : report.left_out) text += "; left out: " + setting;
  return text;
}

}  // namespace verdigris
