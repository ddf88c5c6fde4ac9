#include "controller/steps/close_follower.hpp"

#include "controller/shared_acts.hpp"
#include "replication/access.hpp"
#include "replication/control_schema.hpp"
#include "replication/fence.hpp"

namespace verdigris {

std::string CloseFollower::describe() const {
  return "close " + target_->color() + " for everybody but the controller until it serves";
}

Readiness CloseFollower::check(Deadline deadline) {
  auto& on = target_->control();
  // `closed`, as a rollback leaves it, would keep our migrations out as well.
  if (fence_state(on, deadline) == FenceState::following && marker_fence_state(on, deadline) == FenceState::closed &&
      is_access_closed(on, target_->deployment(), deadline) && tables_without_fence(on, deadline).empty())
    return Done{};
  return Ready{};
}

// Its tables, if they are there by now.
PlannedActs CloseFollower::statements(Deadline deadline) {
  auto& on = target_->control();
  const std::string here = target_->color();
  PlannedActs out{{here, following_statement(target_->user()).text()},
                  {here, marker_fence_statement(FenceState::closed).text()},
                  {here, closing_access_statement().text(), {target_->deployment(), text_array(keep_)}}};
  add_fence_triggers(out, here, tables_without_fence(on, deadline), "every table that is there by then");
  return out;
}

std::string CloseFollower::apply(Deadline deadline) {
  auto& on = target_->control();
  {
    Transaction transaction(on, deadline);
    set_fence(transaction, FenceState::following);
    set_marker_fence(transaction, FenceState::closed);
    close_access(transaction, target_->deployment(), keep_);
    transaction.commit();
  }
  install_fence_triggers(on, FenceBy::hundreds, lock_timeout_, deadline);
  return target_->color() + ": connections and every table closed";
}

void CloseFollower::undo(Deadline deadline) {
  if (target_->is_given_up()) return;
  auto& on = target_->control();
  if (!has_control_schema(on, deadline)) return;
  {
    Transaction transaction(on, deadline);
    if (fence_state(on, deadline) != FenceState::absent) set_fence(transaction, FenceState::open);
    if (marker_fence_state(on, deadline) != FenceState::absent) set_marker_fence(transaction, FenceState::open);
    open_access(transaction, target_->deployment());
    transaction.commit();
  }
  remove_fence_triggers(on, lock_timeout_, deadline);
}

}  // namespace verdigris
