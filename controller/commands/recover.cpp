#include "controller/commands/recover.hpp"

#include <fmt/format.h>

#include "controller/config.hpp"
#include "controller/commands/forced_rollback.hpp"
#include "controller/commands/move_reads.hpp"
#include "controller/crossing.hpp"
#include "controller/emergency_fence.hpp"
#include "controller/exit_codes.hpp"
#include "controller/lease.hpp"
#include "controller/lost_side.hpp"
#include "controller/observer.hpp"
#include "controller/plans.hpp"
#include "replication/access.hpp"
#include "replication/stream.hpp"

namespace verdigris {
namespace {

using std::chrono::milliseconds;

enum class Verdict { nothing, continue_command, undo, forward };

[[noreturn]] void need_human(const std::string& id, const std::string& what, const OpenPlan& open) {
  throw NeedsHuman(id, what,
                   std::string("Bring the server back and run verdigris recover; both sides stay closed until then.") +
                       (ends_only_with_green(open) ? " If green is lost for good: verdigris rollback --force" : ""));
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
  auto& target = *d.target_of(open.source);
  if (has_source_lost_history(d, open)) {
    fence_if_open(d, source, invocation.dry_run, output);
    throw NeedsHuman("source.lost-history", source.color() + ": it lacks the decision that " + target.color() + " has, so it was restored or failed over",
                     target.color() + " holds the data; take " + source.color() + " out of reach for good, then run: verdigris recover --without " + source.color());
  }
  if (open.is_committed) {
    if (!target.is_connected()) need_human("target.unreachable", target.color() + " does not answer, and the line is crossed", open);
    return Verdict::forward;
  }
  if (!source.is_connected()) need_human("source.unreachable", source.color() + " does not answer, and nothing was decided", open);
  if (!open.is_undone && !target.is_connected() && !invocation.source_not_restored && was_source_restarted(d, open))
    throw NeedsHuman("source.restarted", source.color() + " was restarted and " + target.color() + " does not answer, so it cannot be told whether it lost history",
                     "If it was not restored from a backup, run: verdigris recover --source-not-restored");
  return Verdict::undo;
}

// Behind the line the source is needed for nothing but the way back; the target, and a source that decides, for all.
void require_dispensable(const OpenPlan& open, const Invocation& invocation) {
  if (invocation.without.empty()) return;
  const bool is_crossing = transition_of(open.command).plan == PlanKind::cutover;
  if (is_crossing && open.is_committed && invocation.without == open.source) return;
  throw Refused("without.recover",
                "this " + open.command + " cannot be ended without " + invocation.without +
                    (open.is_committed ? ": clients are on their way to it" : ": nothing was decided yet"),
                std::string("Bring it back and run verdigris recover.") +
                    (invocation.without == "green" && ends_only_with_green(open) ? " If it is lost for good: verdigris rollback --force" : ""));
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

// Nothing to undo or to carry out; but the side that does not serve may be open all the same: a standby that was promoted,
// or a backup that was restored, behind its address.
int settle_without_plan(Deployment& d, const Invocation& invocation, Deadline deadline, Output& output) {
  const auto standing = d.standing();
  const auto closed = side_to_stay_closed(standing);
  const std::string text = "No plan is open; " + standing.serves + " serves";
  if (!closed) return say_nothing_to_do(d, output, text + ".");
  Server& side = d.side(*closed);
  if (!side.is_connected()) return say_nothing_to_do(d, output, text + "; whether " + *closed + " is closed is not known: it does not answer.");
  const bool took_writes = fence_if_open(d, side, invocation.dry_run, output);
  d.require_known_server(side, deadline);
  // Readers are there by the operator's word; the fence keeps writers out.
  const bool is_shut = standing.are_reads_ahead || !shut_out_if_open(d, side, invocation.dry_run, output);
  const bool was_open = !is_shut || took_writes;
  // After finish --purge the serving side has no token of ours any more.
  if (standing.phase != Phase::finished) d.require_known_servers(deadline);
  if (!was_open) return say_nothing_to_do(d, output, text + ".");
  if (standing.is_left_behind && !invocation.dry_run)
    throw NeedsHuman("green.came-back", "green came back after the forced rollback (its journal ends in an earlier epoch); it was open and is closed now",
                     "What it took alone is on green only: look at it there. Then run: verdigris abandon --drop-green, which also removes slot and publication " +
                         d.streams_leaving("green", deadline).names() + " from it");
  output.document({{"result", invocation.dry_run ? "planned" : "done"}, {"dry_run", invocation.dry_run}, {"verdict", "close"}, {"phase", to_text(standing.phase)}, {"serves", standing.serves}, {"closed", *closed}});
  output.result(text + "; " + *closed +
                (invocation.dry_run ? " is open and would be closed." : " was open and is closed again."));
  return kDone;
}

// Of a step above the line: whether there is something to put back; of one below: whether it is still to be done.
std::string state_of(Step& step, bool is_undone) {
  try {
    const bool is_in_effect = std::holds_alternative<Done>(step.check(Deadline::after(milliseconds(10'000))));
    if (is_undone) return is_in_effect ? "to be put back" : "to be looked at";
    return is_in_effect ? "done" : "to do";
  } catch (const Error& error) {
    return std::string("cannot be asked: ") + error.what();
  }
}

// The steps that recover() of the runner would take, in its order.
int print_plan(Deployment& d, const Plan& plan, bool is_undone, Output& output) {
  Json steps = Json::array();
  const auto add = [&](Step& step) {
    const auto state = state_of(step, is_undone);
    output.result(fmt::format("{:>3}  {} {:<24} {:<70} {}", steps.size() + 1, is_undone ? "undo" : "do  ", step.name(), step.describe(), state));
    steps.push_back({{"step", step.name()}, {"does", (is_undone ? "undo: " : "") + step.describe()}, {"state", state}});
  };
  const auto open = d.standing().open.value();
  output.result("verdict: " + (is_undone ? "UNDO on " + open.source : "FORWARD to " + other_side(open.source)));
  if (is_undone && !open.is_undone) output.result("     record \"undone\" and open " + open.source + ", in one transaction; then");
  if (is_undone)
    for (std::size_t i = plan.no_return(); i-- > 0;) {
      if (plan[i].leaves_trace()) add(plan[i]);
    }
  else
    for (std::size_t i = plan.no_return(); i < plan.size(); ++i) add(plan[i]);
  output.document({{"result", "planned"}, {"dry_run", true}, {"verdict", is_undone ? "undo" : "forward"},
                   {"phase", to_text(d.standing().phase)}, {"serves", d.standing().serves}, {"steps", steps}});
  output.result("Nothing was done (--dry-run).");
  return kDone;
}

// Both sides first, so that it cannot get one back while it loses the other.
void end_other_controller(Deployment& d, Deadline deadline, Output& output) {
  for (auto* server : {&d.blue(), &d.green()}) {
    if (!server->is_connected()) continue;
    if (const auto ended = end_lease_holder(server->control(), d.name(), deadline))
      output.warning(server->color() + ": ended the session of another controller: " + ended->describe());
  }
}

}  // namespace

int run_recover(const Invocation& invocation, Output& output) {
  Deployment d(load_playbook(invocation.playbook), [&](const std::string& text) { output.note(text); });
  const auto deadline = Deadline::after(milliseconds(120'000));
  if (!invocation.without.empty()) connect_but_for_lost(d, invocation, deadline, output);
  else
    for (const auto& error : d.connect_what_answers(deadline, invocation.dry_run)) output.warning(error);
  if (invocation.take_over && !invocation.dry_run) end_other_controller(d, deadline, output);
  if (!invocation.dry_run) d.take_leases(milliseconds(10'000), deadline);
  load_or_fence(d, invocation, deadline, output);
  const auto standing = d.standing();
  if (!standing.open) return settle_without_plan(d, invocation, deadline, output);
  if (is_emergency(standing)) return recover_forced_rollback(d, invocation, deadline, output);
  if (is_move_of_reads(standing) && invocation.without.empty()) return recover_move_of_reads(d, invocation, deadline, output);
  require_dispensable(*standing.open, invocation);
  require_known_or_fence(d, invocation, deadline, output);
  const auto verdict = verdict_of(d, *standing.open, invocation, output);
  const std::string source = standing.open->source;
  if (verdict == Verdict::continue_command)
    return say_nothing_to_do(d, output, "A " + standing.open->command + " is not complete; run verdigris " +
                                            standing.open->command + " to continue it.");
  d.recall_facts();
  const Plan plan = cutover_plan(d, d.source_of(source), d.target_of(source));
  if (invocation.dry_run) return print_plan(d, plan, verdict == Verdict::undo, output);
  output.note(std::string("verdict: ") + (verdict == Verdict::undo ? "UNDO on " + source : "FORWARD to " + other_side(source)));
  handle_interrupts();
  ConsoleObserver observer(output);
  const int code = report_crossing(d, make_runner(d, plan, invocation, observer).recover(), "recover", output);
  if (invocation.without.empty()) return code;
  output.result("NOTE: " + left_on_lost_side(d) + ".");
  return kDone;  // that there is no way back was the operator's word
}

}  // namespace verdigris
