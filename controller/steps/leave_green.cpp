#include "controller/steps/leave_green.hpp"

#include "replication/access.hpp"
#include "replication/fence.hpp"

namespace verdigris {

std::string LeaveGreen::describe() const {
  return green_->is_given_up() ? "leave green as it is: it does not answer" : "close green for writes and connections";
}

Readiness LeaveGreen::check(Deadline deadline) {
  if (green_->is_given_up()) return Done{};
  const bool is_closed = fence_state(green_->control(), deadline) == FenceState::closed &&
                         is_access_closed(green_->control(), green_->deployment(), deadline) &&
                         foreign_sessions(green_->control(), green_->deployment(), deadline).empty();
  if (is_closed) return Done{};
  return Ready{};
}

int LeaveGreen::end_sessions(Deadline deadline) {
  const auto sessions = foreign_sessions(green_->control(), green_->deployment(), deadline);
  for (const auto& session : sessions)
    green_->control().query(Sql("SELECT pg_terminate_backend($1::int4)"), {std::to_string(session.pid)}, deadline);
  return static_cast<int>(sessions.size());
}

std::string LeaveGreen::apply(Deadline deadline) {
  auto& on = green_->control();
  {
    // The function first: a writer that does not let go must not keep it open. Its transaction ends with its session.
    Transaction transaction(on, deadline);
    close_access(transaction, green_->deployment(), keep_);
    set_fence(transaction, FenceState::closed);
    transaction.commit();
  }
  const int ended = end_sessions(deadline);
  const auto closed = close_fence(on, lock_timeout_, deadline);  // nobody is in the midst of writing any more
  return "green is closed: " + std::to_string(closed.tables) + " tables, " + std::to_string(ended) + " sessions ended";
}

void LeaveGreen::undo(Deadline deadline) {
  if (!facts_.was_green_there) return;
  if (!green_->is_connected())
    throw Error("green.unreachable", "green does not answer, and was closed; if it is lost: verdigris rollback --force again",
                "Bring it back, then run: verdigris recover");
  Transaction transaction(green_->control(), deadline);
  set_fence(transaction, FenceState::open);
  set_marker_fence(transaction, FenceState::open);
  open_access(transaction, green_->deployment());
  transaction.commit();
}

}  // namespace verdigris
