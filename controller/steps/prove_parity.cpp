#include "controller/steps/prove_parity.hpp"

#include "controller/bypass.hpp"
#include "controller/steps/copy_sequences.hpp"
#include "healthcheck/coverage.hpp"
#include "replication/access.hpp"
#include "replication/fence.hpp"
#include "replication/test_switches.hpp"

namespace verdigris {

std::string ProveParity::describe() const {
  return "compare every table of " + source_->color() + " and " + target_->color() +
         " while both are still, or what changed since they were compared";
}

Readiness ProveParity::check(Deadline) { return Ready{}; }

// A table's owner can disable a trigger, and a table can be born; both are looked for after the sessions are gone.
void ProveParity::require_fence_untouched(Deadline deadline) {
  if (is_mutant("no_fence")) return;
  auto& on = source_->control();
  const auto bare = tables_without_fence(on, deadline);
  if (!bare.empty())
    throw Error("fence.coverage", source_->color() + ": " + bare.front().display() + " lost its fence trigger",
                "Somebody disabled it or created the table in the window; start again, and it is named before clients wait.");
  if (fence_state(on, deadline) != FenceState::closed)
    throw Error("fence.state", source_->color() + ": the fence is not closed any more",
                "Look for another controller: verdigris status");
  if (!is_mutant("shut_out_once")) require_all_shut_out(*source_, roles_let_in(on, keep_, deadline), keep_);
}

// The target must take no write before the line, or both sides would.
void ProveParity::require_target_closed(Deadline deadline) {
  auto& on = target_->control();
  const auto state = fence_state(on, deadline);
  const bool is_closed = (state == FenceState::following || state == FenceState::closed) &&
                         (readers_ == Readers::on_target || is_access_closed(on, target_->deployment(), deadline)) &&
                         tables_without_fence(on, deadline).empty();
  if (!is_closed)
    throw Error("target.open", target_->color() + ": not closed for writes before it serves",
                "Somebody opened it or made a table there: verdigris recover closes it, verdigris prepare gives a table its fence.");
}

// Rows that another subscription brings pass the fence.
void ProveParity::require_no_inbound_subscription(Deadline deadline) {
  const auto result = source_->control().query(Sql(R"(
    SELECT subname FROM pg_subscription
    WHERE subenabled AND NOT starts_with(subname, 'verdigris_')
      AND subdbid = (SELECT oid FROM pg_database WHERE datname = current_database()))"),
                                               deadline);
  const auto rows = result.rows(1);
  if (!rows.empty())
    throw Error("repl.inbound", source_->color() + ": subscription " + rows.front().text(0) + " writes past the fence",
                "Disable it for the switch.");
}

void ProveParity::require_coverage(Deadline deadline) {
  if (is_mutant("coverage_before_window_alone")) return;
  for (const auto& finding : coverage(source_->control(), target_->control(), streams_, deadline, selection_))
    if (finding.level == Level::fail) throw Error(finding.id, finding.text, finding.hint);
}

void ProveParity::require_sequences(Deadline deadline) {
  // nextval passes the fence's triggers: positions are final only while no foreign session is there.
  if (!is_mutant("no_fence")) wait_for_no_foreign_session(*source_, {}, deadline, deadline);
  const auto behind = sequences_of(facts_, source_, target_).outgrown_ones(deadline);
  if (!behind.empty())
    throw Error("data.sequences", target_->color() + ": sequence " + behind.front().name.display() +
                                      " would hand out values of " + source_->color() + " a second time",
                "Look for sessions that used it in the window.");
}

void ProveParity::require_equal() {
  const auto& report = *facts_.parity;
  if (report.is_equal()) return;
  for (const auto& table : report.tables)
    if (!table.is_equal)
      throw Error("parity", table.table.display() + " differs: " + std::to_string(table.source_rows) + " rows on " +
                                source_->color() + ", " + std::to_string(table.target_rows) + " on " + target_->color() +
                                (table.note.empty() ? "" : " (" + table.note + ")"),
                  "Run: verdigris verify", Failure::differs);
  throw Error("parity", report.differences.empty() ? "the sides differ" : report.differences.front(),
              "Run: verdigris verify", Failure::differs);
}

std::string ProveParity::apply(Deadline deadline) {
  if (is_mutant("parity_unproven")) return "left out";
  if (!facts_.sessions)
    throw Error("parity.sessions", "the sessions for the proof were not opened", "Run: verdigris recover");
  require_fence_untouched(deadline);
  require_target_closed(deadline);
  require_no_inbound_subscription(deadline);
  require_coverage(deadline);
  require_sequences(deadline);
  facts_.parity = facts_.rolling ? facts_.rolling->settle(bounded("endless_parity", deadline))
                                 : compare_still(*facts_.sessions, bounded("endless_parity", deadline));
  require_equal();
  return "coverage equal, " + std::to_string(facts_.parity->tables.size()) + " tables equal" +
         (facts_.rolling ? " (compared now: " + facts_.rolling->account() + ")" : "") + ", no sequence behind";
}

}  // namespace verdigris
