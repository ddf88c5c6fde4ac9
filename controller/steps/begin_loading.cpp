#include "controller/steps/begin_loading.hpp"

#include "controller/shared_acts.hpp"
#include "replication/control_schema.hpp"

namespace verdigris {

bool is_noted_as_loading(Server& on, Deadline deadline) {
  return has_control_schema(on.control(), deadline) &&
         saved_value(on.control(), on.deployment(), kLoadingKey, deadline);
}

std::string BeginLoading::describe() const {
  return "note on both sides that " + target_->color() + " is loaded and would not survive a crash";
}

Readiness BeginLoading::check(Deadline deadline) {
  if (!green_->is_loading() || (is_noted_as_loading(*source_, deadline) && is_noted_as_loading(*target_, deadline))) return Done{};
  return Ready{};
}

PlannedActs BeginLoading::statements(Deadline /*deadline*/) {
  return {saving(*source_, kLoadingKey, "true"), saving(*target_, kLoadingKey, "true")};
}

std::string BeginLoading::apply(Deadline deadline) {
  if (!green_->is_loading()) return target_->color() + " is not loaded any more";
  for (Server* side : {&*source_, &*target_})
    save_value(side->control(), side->deployment(), kLoadingKey, "true", deadline);
  return "noted on both sides";
}

void BeginLoading::undo(Deadline deadline) {
  for (Server* side : {&*target_, &*source_}) {
    if (side->is_given_up() || !has_control_schema(side->control(), deadline)) continue;
    forget_value(side->control(), side->deployment(), kLoadingKey, deadline);
  }
}

}  // namespace verdigris
