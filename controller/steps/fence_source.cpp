#include "controller/steps/fence_source.hpp"

#include "controller/bypass.hpp"
#include "replication/access.hpp"
#include "replication/fence.hpp"
#include "replication/test_switches.hpp"

namespace verdigris {

std::string FenceSource::describe() const {
  return "close " + source_->color() + " for connections and writes" +
         (bypass_ == BypassPolicy::terminate ? ", and end every session there" : "");
}

Readiness FenceSource::check(Deadline deadline) {
  if (is_mutant("no_fence")) return Ready{};
  auto& on = source_->control();
  const auto state = fence_state(on, deadline);
  if (state == FenceState::closed && is_access_closed(on, source_->deployment(), deadline)) return Done{};
  if (state == FenceState::absent || state == FenceState::unknown)
    return Blocked{source_->color() + ": the function verdigris.fence() is " + std::string(to_text(state)),
                   "Somebody replaced or dropped it; compare with verdigris status."};
  return Ready{};
}

void FenceSource::require_no_foreign_session(Deadline deadline) {
  wait_for_no_foreign_session(*source_, {bypass_, traffic_.closed_backends()},
                              Deadline::after(lock_timeout_).or_earlier(deadline), deadline);
}

void FenceSource::require_no_prepared_transaction(Deadline deadline) {
  if (const auto prepared = prepared_transaction(source_->control(), deadline)) throw_prepared(*prepared);
}

void FenceSource::throw_prepared(const PreparedTransaction& prepared) const {
  throw Error("fence.prepared",
              source_->color() + ": prepared transaction \"" + prepared.gid + "\" of " + prepared.owner +
                  " could still commit behind the fence",
              "Commit it or roll it back.");
}

ClosedFence FenceSource::close(Deadline deadline) {
  try {
    return close_fence(source_->control(), lock_timeout_, deadline, Flush::later, facts_.tables_to_lock);
  } catch (const ServerError& error) {
    // One that is prepared keeps its locks: the fence itself would only say that it timed out.
    if (error.sqlstate() == "55P03") require_no_prepared_transaction(deadline);
    throw;
  }
}

PlannedActs FenceSource::statements(Deadline deadline) {
  const std::string here = source_->color();
  PlannedActs out{{here, close_access_statement().text(), {source_->deployment(), text_array(keep_)}}};
  if (bypass_ == BypassPolicy::terminate)
    out.push_back({here, terminate_statement().text(), {"<pid of each session past the pooler>"}});
  const auto tables = fenced_tables(source_->control(), deadline);
  out.push_back({here, closing_statement(lock_timeout_, Flush::later, tables).text()});
  return out;
}

std::string FenceSource::apply(Deadline deadline) {
  if (is_mutant("no_fence")) return "left out";
  close_access(source_->control(), source_->deployment(), keep_, deadline);
  require_no_foreign_session(deadline);
  const auto closed = close(deadline);
  // A login that was under way when connections were closed shows only now, and would stay: its client would meet the
  // fence with every write instead of logging in where it can write.
  if (bypass_ == BypassPolicy::terminate) require_no_foreign_session(deadline);
  if (!closed.without_trigger.empty())
    throw Error("fence.coverage",
                source_->color() + ": " + closed.without_trigger.front().display() + " has no enabled fence trigger",
                "Somebody made or altered it just now; start again, and it is named before clients wait.");
  if (closed.prepared) throw_prepared(*closed.prepared);
  return source_->color() + ": connections and " + std::to_string(closed.tables) + " tables closed, 0 prepared";
}

void FenceSource::undo_with_decision(Transaction& decision) {
  auto& on = decision.connection();
  const auto deadline = decision.deadline();
  if (fence_state(on, deadline) != FenceState::open) set_fence(decision, FenceState::open);
  if (marker_fence_state(on, deadline) != FenceState::open) set_marker_fence(decision, FenceState::open);
  open_access(decision, source_->deployment());
}

}  // namespace verdigris
