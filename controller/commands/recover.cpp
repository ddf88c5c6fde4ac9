#include "controller/commands/recover.hpp"

#include "controller/config.hpp"
#include "controller/crossing.hpp"
#include "controller/emergency_fence.hpp"
#include "controller/exit_codes.hpp"
#include "controller/observer.hpp"
#include "controller/plans.hpp"
#include "replication/access.hpp"

namespace verdigris {
namespace {

using std::chrono::milliseconds;

enum class Verdict { nothing, continue_command, undo, forward };

[[noreturn]] void need_human(const std::string& id, const std::string& what) {
  throw NeedsHuman(id, what,
                   "Bring the server back and run verdigris recover; both sides stay closed until then.");
}

// The decision that a reachable source lacks although the target has it: the source lost history (faults, F24).
bool has_source_lost_history(Deployment& d, const OpenPlan& open) {
  if (!open.is_committed) return false;
  const auto count = d.journal().count_on(open.source);
  if (!count) return false;
  const auto& records = d.journal().records();
  for (std::size_t i = open.begins_at; i < records.size(); ++i)
    if (records[i].event == "committed") return *count <= i;
  return false;
}

// Whether the source is the very server process that was fenced; a restored one could lack what it acknowledged.
bool was_source_restarted(Deployment& d, const OpenPlan& open) {
  const auto now = server_identity(d.side(open.source).control(), d.name(), Deadline::after(milliseconds(10'000)));
  return now.started_at != open.first_record.at("identity").at(open.source).value("started_at", "");
}

Verdict verdict_of(Deployment& d, const OpenPlan& open, const Invocation& invocation, Output& output) {
  if (transition_of(open.command).plan != PlanKind::cutover) return Verdict::continue_command;
  auto& source = d.side(open.source);
  auto& target = d.side(open.source == "blue" ? "green" : "blue");
  if (has_source_lost_history(d, open)) {
    fence_if_open(d, source, invocation.dry_run, output);
    throw NeedsHuman("source.lost-history", source.color() + ": it lacks the decision that " + target.color() + " has, so it was restored or failed over",
                     target.color() + " holds the data; take " + source.color() + " out of reach, then run verdigris recover.");
  }
  if (open.is_committed) {
    if (!target.is_connected()) need_human("target.unreachable", target.color() + " does not answer, and the line is crossed");
    return Verdict::forward;
  }
  if (!source.is_connected()) need_human("source.unreachable", source.color() + " does not answer, and nothing was decided");
  if (!open.is_undone && !target.is_connected() && !invocation.source_not_restored && was_source_restarted(d, open))
    throw NeedsHuman("source.restarted", source.color() + " was restarted and " + target.color() + " does not answer, so it cannot be told whether it lost history",
                     "If it was not restored from a backup, run: verdigris recover --source-not-restored");
  return Verdict::undo;
}

int say_nothing_to_do(Deployment& d, Output& output, const std::string& text) {
  output.document({{"result", "nothing_to_do"}, {"phase", to_text(d.standing().phase)}, {"serves", d.standing().serves}});
  output.result(text);
  return kDone;
}

// A server that is not the one it was is closed if it is found open, and left to a person. A changed target is no matter
// above the line: the source alone decides there, so it is treated as one that does not answer.
void require_known_or_fence(Deployment& d, const Invocation& invocation, Deadline deadline, Output& output) {
  const auto open = d.standing().open;
  const bool is_above_line = open && transition_of(open->command).plan == PlanKind::cutover && !open->is_committed;
  for (auto* server : {&d.blue(), &d.green()}) {
    if (!server->is_connected() || d.is_known(*server, deadline)) continue;
    if (is_above_line && server->color() != open->source) {
      output.warning(server->color() + ": another server answers than the one of the journal; it is left alone");
      server->control().close();
      continue;
    }
    if (open && server->color() == open->source) fence_if_open(d, *server, invocation.dry_run, output);
    d.require_known_servers(deadline);
  }
}

// Contradicting journals say nothing that may be acted on, but two open sides must not stay.
void load_or_fence(Deployment& d, const Invocation& invocation, Deadline deadline, Output& output) {
  try {
    d.journal().load(deadline);
  } catch (const NeedsHuman&) {
    fence_contradicting_sides(d, invocation.dry_run, output);
    throw;
  } catch (const Refused& error) {  // a schema that is not ours says nothing either
    throw NeedsHuman(error.id(), error.what(), error.hint());
  }
}

}  // namespace

int run_recover(const Invocation& invocation, Output& output) {
  Deployment d(load_playbook(invocation.playbook), [&](const std::string& text) { output.note(text); });
  const auto deadline = Deadline::after(milliseconds(120'000));
  for (const auto& error : d.connect_what_answers(deadline)) output.warning(error);
  if (!invocation.dry_run) d.take_leases(milliseconds(10'000), deadline);
  load_or_fence(d, invocation, deadline, output);
  const auto standing = d.standing();
  if (!standing.open) return say_nothing_to_do(d, output, "No plan is open; " + standing.serves + " serves.");
  require_known_or_fence(d, invocation, deadline, output);
  const auto verdict = verdict_of(d, *standing.open, invocation, output);
  const std::string source = standing.open->source;
  if (verdict == Verdict::continue_command)
    return say_nothing_to_do(d, output, "A " + standing.open->command + " is not complete; run verdigris " +
                                            standing.open->command + " to continue it.");
  output.note(std::string("verdict: ") + (verdict == Verdict::undo ? "UNDO on " + source : "FORWARD to " + d.target_of(source)->color()));
  if (invocation.dry_run) return say_nothing_to_do(d, output, "Nothing was done (--dry-run).");
  d.recall_facts();
  handle_interrupts();
  const Plan plan = cutover_plan(d, d.source_of(source), d.target_of(source));
  ConsoleObserver observer(output);
  return report_crossing(d, make_runner(d, plan, invocation, observer).recover(), "recover", output);
}

}  // namespace verdigris
