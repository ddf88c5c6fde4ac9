#include "controller/steps/leave_green.hpp"

#include <algorithm>

#include "replication/access.hpp"
#include "replication/fence.hpp"
#include "replication/lock_holders.hpp"

namespace verdigris {
namespace {

using std::chrono::milliseconds;

constexpr milliseconds kLockPatience{5'000};
constexpr milliseconds kRoomToPutBack{2'000};
constexpr milliseconds kLeastWait{1};

}  // namespace

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

// What holds locks now is no client: autovacuum, which gives way whatever the playbook says of calmer hours, or what is
// prepared, which could still commit.
ClosedFence LeaveGreen::close_tables(Deadline deadline) {
  auto& on = green_->control();
  // A deadline that passes in the midst of it would cost the session that is to open green again.
  const auto room = std::max({deadline.remaining() - kRoomToPutBack, deadline.remaining() / 2, kLeastWait});
  for (const auto patience = Deadline::after(std::min(kLockPatience, room));;) {
    try {
      return close_fence(on, std::max(kLeastWait, std::min(lock_timeout_, patience.remaining())), deadline);
    } catch (const ServerError& error) {
      if (error.sqlstate() != "55P03") throw;
    }
    if (const auto prepared = prepared_transaction(on, deadline))
      throw Error("fence.prepared", "green: prepared transaction " + prepared->describe() + ", could still commit behind the fence",
                  "Commit it or roll it back there: COMMIT PREPARED or ROLLBACK PREPARED; then repeat the command.");
    const auto holders = fence_lock_holders(on, Writers::count, deadline);
    cancel_those_that_give_way(on, holders, deadline);
    if (!patience.has_passed()) continue;
    std::string who = holders.empty() ? ", by a session that has ended meanwhile" : "";
    for (const auto& holder : holders) who += (who.empty() ? ": " : "; ") + holder.describe();
    throw Error("fence.lock", "green: not all tables could be closed" + who,
                "End that session there, or take green off the net; then repeat the command.");
  }
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
  const auto closed = close_tables(deadline);  // nobody is in the midst of writing any more
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
