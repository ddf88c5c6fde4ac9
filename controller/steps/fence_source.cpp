#include "controller/steps/fence_source.hpp"

#include <algorithm>

#include "controller/bypass.hpp"
#include "controller/config_values.hpp"
#include "replication/access.hpp"
#include "replication/fence.hpp"
#include "replication/test_switches.hpp"

namespace verdigris {
namespace {

constexpr std::chrono::milliseconds kUnhindered{30};  // all locks are had by then unless somebody holds one

}  // namespace

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
  if (is_mutant("prepared_not_looked_for")) return;
  if (const auto prepared = prepared_transaction(source_->control(), deadline)) throw_prepared(*prepared);
}

void FenceSource::throw_prepared(const PreparedTransaction& prepared) const {
  throw Error("fence.prepared",
              source_->color() + ": prepared transaction " + prepared.describe() + ", could still commit behind the fence",
              "Commit it or roll it back: COMMIT PREPARED or ROLLBACK PREPARED in that database.");
}

void FenceSource::throw_locked(const std::vector<LockHolder>& holders) const {
  std::string who = holders.empty() ? ", by a session that has ended meanwhile" : ": ";
  for (std::size_t i = 0; i < holders.size(); ++i) who += (i == 0 ? "" : "; ") + holders[i].describe();
  const bool is_wraparound = std::ranges::any_of(holders, [](const LockHolder& one) { return one.kind == "autovacuum worker" && !one.gives_way; });
  throw Error("fence.lock", source_->color() + ": not all tables could be closed within " + duration_text(lock_timeout_) + who,
              is_wraparound ? "It works against wraparound and gives way to nobody: let it end first."
                            : "Let it end, or end that session; autovacuum gives way with fence.autovacuum: cancel.");
}

// Whoever may be cancelled is looked for at once, and again: such a worker goes on with the next table that it has. Who is
// waited for anyway is looked for only when time is up.
std::chrono::milliseconds FenceSource::first_patience() const {
  return autovacuum_ == AutovacuumPolicy::cancel ? std::min(kUnhindered, lock_timeout_) : lock_timeout_;
}

// One that is prepared keeps its locks, and whoever holds one is not named by the server: it only says that time ran out.
ClosedFence FenceSource::close(Deadline deadline) {
  const auto until = Deadline::after(lock_timeout_).or_earlier(deadline);
  for (auto patience = first_patience();;) {
    try {
      return close_fence(source_->control(), patience, deadline, Flush::later, facts_.tables_to_lock);
    } catch (const ServerError& error) {
      if (error.sqlstate() != "55P03") throw;
    }
    require_no_prepared_transaction(deadline);
    const auto holders = fence_lock_holders(source_->control(), Writers::count, deadline);
    if (until.has_passed()) throw_locked(holders);
    const bool has_cancelled = autovacuum_ == AutovacuumPolicy::cancel && cancel_those_that_give_way(source_->control(), holders, deadline);
    // Time may have run out since it was looked at, and 0 would mean for ever.
    patience = std::max(std::chrono::milliseconds(1), has_cancelled ? std::min(kUnhindered, until.remaining()) : until.remaining());
  }
}

PlannedActs FenceSource::statements(Deadline deadline) {
  const std::string here = source_->color();
  PlannedActs out{{here, close_access_statement().text(), {source_->deployment(), text_array(keep_)}}};
  if (bypass_ == BypassPolicy::terminate)
    out.push_back({here, terminate_statement().text(), {"<pid of each session past the pooler>"}});
  const auto tables = fenced_tables(source_->control(), deadline);
  out.push_back({here, closing_statement(first_patience(), Flush::later, tables).text()});
  return out;
}

std::string FenceSource::apply(Deadline deadline) {
  if (is_mutant("no_fence")) return "left out";
  close_access(source_->control(), source_->deployment(), keep_, deadline);
  crash_point("inside:fence_source");
  require_no_foreign_session(deadline);
  const auto closed = close(deadline);
  // A login that was under way when connections were closed shows only now, and would stay: its client would meet the
  // fence with every write instead of logging in where it can write.
  if (bypass_ == BypassPolicy::terminate) require_no_foreign_session(deadline);
  if (!closed.without_trigger.empty())
    throw Error("fence.coverage",
                source_->color() + ": " + closed.without_trigger.front().display() + " has no enabled fence trigger",
                "Somebody made or altered it just now; start again, and it is named before clients wait.");
  if (closed.prepared && !is_mutant("prepared_not_looked_for")) throw_prepared(*closed.prepared);
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
