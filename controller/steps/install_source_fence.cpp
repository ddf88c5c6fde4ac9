#include "controller/steps/install_source_fence.hpp"

#include "controller/shared_acts.hpp"
#include "replication/fence.hpp"

namespace verdigris {

std::string InstallSourceFence::describe() const {
  return "put the open fence on every table of " + source_->color();
}

Readiness InstallSourceFence::check(Deadline deadline) {
  auto& on = source_->control();
  const auto state = fence_state(on, deadline);
  if (state == FenceState::closed || state == FenceState::unknown)
    return Blocked{source_->color() + ": the fence is " + std::string(to_text(state)) + " although this side serves",
                   "Run: verdigris recover"};
  if (state == FenceState::open && tables_without_fence(on, deadline).empty()) return Done{};
  return Ready{};
}

PlannedActs InstallSourceFence::statements(Deadline deadline) {
  auto& on = source_->control();
  PlannedActs out;
  if (fence_state(on, deadline) == FenceState::absent) out.push_back({source_->color(), fence_statement(FenceState::open).text()});
  add_fence_triggers(out, source_->color(), tables_without_fence(on, deadline), {});
  return out;
}

std::string InstallSourceFence::apply(Deadline deadline) {
  auto& on = source_->control();
  if (fence_state(on, deadline) == FenceState::absent) {
    Transaction transaction(on, deadline);
    set_fence(transaction, FenceState::open);
    transaction.commit();
  }
  const auto missing = tables_without_fence(on, deadline).size();
  install_fence_triggers(on, FenceBy::table, lock_timeout_, deadline);
  return std::to_string(missing) + " tables of " + source_->color() + " got the open fence";
}

void InstallSourceFence::undo(Deadline deadline) { remove_fence_triggers(source_->control(), lock_timeout_, deadline); }

}  // namespace verdigris
