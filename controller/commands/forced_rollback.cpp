#include "controller/commands/forced_rollback.hpp"

#include <fmt/format.h>

#include "controller/config.hpp"
#include "controller/confirmation.hpp"
#include "controller/crossing.hpp"
#include "controller/emergency_fence.hpp"
#include "controller/exit_codes.hpp"
#include "controller/forced_loss.hpp"
#include "controller/lost_side.hpp"
#include "controller/observer.hpp"
#include "controller/plans.hpp"
#include "replication/access.hpp"
#include "replication/fence.hpp"
#include "replication/subscription.hpp"

namespace verdigris {
namespace {

using std::chrono::milliseconds;

constexpr milliseconds kGreenLogin{5'000};
constexpr const char* kWaits = "Bring green back and run verdigris recover; clients may be held until then. Lost for good: verdigris rollback --force again";
constexpr const char* kOnwards = "Next: verdigris abandon --drop-green (if green is lost: --without green), then verdigris prepare";

void connect_what_is_there(Deployment& d, const Invocation& invocation, Deadline deadline, Output& output) {
  d.blue().connect(deadline, invocation.dry_run);
  d.find_green(deadline);
  try {
    d.green().connect(Deadline::after(kGreenLogin).or_earlier(deadline), invocation.dry_run);
  } catch (const CannotConnect& error) {
    // It refuses us, and lets others in: what it acknowledges from now on would be lost, and nobody could close it. One
    // that starts up or shuts down (57P03) lets nobody in.
    if (!error.sqlstate().empty() && error.sqlstate() != "57P03")
      throw Refused("force.answers", std::string(error.what()) + ": green answers, so it would go on taking writes beside blue",
                    "Correct the controller's login on green, or take that server off the net first.");
    output.warning(std::string(error.what()) + ": green cannot be closed; should it come back, it is open until recover closes it",
                   "Keep it off the net, or run verdigris recover as soon as it answers.");
    d.green().give_up();
  }
}

// Another server in green's place knows nothing of what blue lacks; it must not take writes either.
void give_up_if_unknown(Deployment& d, bool is_dry_run, Deadline deadline, Output& output) {
  if (d.green().is_given_up()) return;
  if (d.green().is_connected() && d.is_known(d.green(), deadline)) return;
  if (d.green().is_connected()) {
    output.warning("green: another server answers than the one of the journal");
    fence_if_open(d, d.green(), is_dry_run, output);
  }
  d.green().give_up();
}

Json to_json(const Loss& loss) {
  return {{"marker_at", loss.marker_at ? Json(*loss.marker_at) : Json(nullptr)},
          {"decided_at", loss.decided_at ? Json(*loss.decided_at) : Json(nullptr)},
          {"seconds", loss.seconds ? Json(*loss.seconds) : Json(nullptr)},
          {"bytes", loss.bytes ? Json(*loss.bytes) : Json(nullptr)}};
}

// What only waits for green is ended with it, and loses nothing; without it this is the only way on.
void require_lost_in_crossing(Deployment& d) {
  const auto over = crossing_beneath(d.standing());
  if (over.empty() || d.green().is_given_up()) return;
  throw Refused("force.recover-first", "a " + over + " was begun and is not complete, and green answers: it can be completed or undone with it",
                "Run: verdigris recover, and then, if green is to be left: verdigris rollback --force. If green cannot be used, take that server off the net first.");
}

// One that answers is drained behind its fence: what is lost is known only then, and refused there.
void require_loss_accepted(Deployment& d, const Loss& loss, const AcceptedLoss& accepted) {
  const bool is_drained_first = !d.green().is_given_up() && (accepted.bytes || accepted.seconds);
  if (!is_drained_first) require_accepted(loss, accepted);
}

// Begun anew, an undone one says how it was before: what it closed on green is still to be opened, should this be undone.
bool was_green_there(Deployment& d) {
  const auto standing = d.standing();
  if (is_emergency(standing)) return standing.open->first_record.value("green_answers", false);
  return !d.green().is_given_up();
}

// The names of the streams; as an earlier record has it, if this one is begun anew.
Json enabled_reverse(Deployment& d, Deadline deadline) {
  const auto standing = d.standing();
  if (is_emergency(standing)) return standing.open->first_record.value("reverse_enabled", Json(true));
  const auto back = d.streams_leaving("green", deadline);
  const auto states = subscription_briefs(d.blue().control(), back, deadline);
  Json names = Json::array();
  for (std::size_t i = 0; i < states.size(); ++i)
    if (states[i].exists && states[i].is_enabled) names.push_back(back[i].name);
  return names;
}

int print_steps(const Plan& plan, const Loss& loss, Output& output) {
  Json steps = Json::array();
  for (std::size_t i = 0; i < plan.size(); ++i) {
    if (i == plan.no_return()) output.result("-- the line: the decision and the opening of blue, in one transaction --");
    output.result(fmt::format("{:<22} {}", plan[i].name(), plan[i].describe()));
    steps.push_back({{"step", plan[i].name()}, {"does", plan[i].describe()}});
  }
  output.document({{"result", "planned"}, {"dry_run", true}, {"loss", to_json(loss)}, {"steps", steps}});
  output.result("Nothing was changed (--dry-run).");
  return kDone;
}

void open_blue_with_decision(Deployment& d) {
  d.journal().open_with_decision([&d](Transaction& decision) {
    set_fence(decision, FenceState::open);
    set_marker_fence(decision, FenceState::open);
    open_access(decision, d.name());
  });
}

int report(Deployment& d, const RunResult& result, Output& output) {
  const bool is_done = result.ending == Ending::done;
  const auto standing = d.standing();
  const std::string left = is_done ? left_on_lost_side(d) : "";
  Json body{{"result", is_done ? "done" : "undone"}, {"phase", to_text(standing.phase)}, {"serves", standing.serves}};
  body["left"] = left.empty() ? Json(nullptr) : Json(left);
  body["accounts"] = Json::array();
  for (const auto& step : result.steps) body["accounts"].push_back({{"step", step.step}, {"account", step.account}});
  if (!is_done) body["reason"] = result.reason;
  body["open"] = standing.open ? Json(standing.open->command) : Json(nullptr);
  if (standing.open) body["hint"] = kWaits;
  output.document(body);
  if (!is_done) {
    const std::string who = standing.open ? "a " + standing.open->command + " waits for green as before" : standing.serves + " serves by the journal";
    output.result(fmt::format("UNDONE. {}, blue stays closed: {}", who, result.reason));
    if (!result.reason_hint.empty()) output.result("HINT:  " + result.reason_hint);
    if (standing.open) output.result("HINT:  " + std::string(kWaits));
    return result.failure == Failure::refused ? kRefused : kUndone;
  }
  for (const auto& step : result.steps) output.result(fmt::format("{:<22} {}", step.step, step.account));
  output.result("FORCED BACK. blue serves; nothing follows it, and green is left behind. " + std::string(kOnwards));
  if (!left.empty()) output.result("NOTE: " + left + ".");
  return kDone;
}

}  // namespace

int run_forced_rollback(const Invocation& invocation, Output& output) {
  Deployment d(load_playbook(invocation.playbook), [&](const std::string& text) { output.note(text); });
  const auto deadline = Deadline::after(milliseconds(60'000));
  connect_what_is_there(d, invocation, deadline, output);
  if (!invocation.dry_run) d.take_leases(milliseconds(2'000), deadline);
  d.journal().load(deadline);
  if (require_allowed(d.standing(), kForcedRollback) == Permission::already_done) {
    output.document({{"result", "nothing_to_do"}, {"phase", to_text(d.standing().phase)}, {"serves", d.standing().serves}});
    output.result("blue serves already, green is left behind. " + std::string(kOnwards));
    return kDone;
  }
  d.require_known_server(d.blue(), deadline);
  give_up_if_unknown(d, invocation.dry_run, deadline, output);
  require_lost_in_crossing(d);
  const auto loss = measure_loss(d.green(), d.blue(), d.streams_leaving("green", deadline), last_switch_decided(d.journal().records()), deadline);
  output.result("What blue has not received: " + loss.text());
  const Plan plan = emergency_plan(d, invocation.accept_loss);
  if (invocation.dry_run) return print_steps(plan, loss, output);
  require_loss_accepted(d, loss, invocation.accept_loss);
  warn_of_errors(d.all_traffic(), output);
  require_confirmation(invocation, d.name(), output);
  auto first = d.plan_entry(std::string(kForcedRollback), "blue", deadline);
  first.detail["over"] = crossing_beneath(d.standing());
  first.detail["green_answers"] = was_green_there(d);
  first.detail["reverse_enabled"] = enabled_reverse(d, deadline);
  d.journal().open_emergency(first, deadline);
  d.recall_facts();
  open_blue_with_decision(d);
  handle_interrupts();
  ConsoleObserver observer(output);
  const auto result = make_runner(d, plan, invocation, observer).cross([&loss]() -> Json { return {{"loss", to_json(loss)}}; });
  return report(d, result, output);
}

int recover_forced_rollback(Deployment& d, const Invocation& invocation, Deadline deadline, Output& output) {
  if (!d.blue().is_connected())
    throw NeedsHuman("source.unreachable", "blue does not answer, and a forced rollback to it is open",
                     "Bring blue back and run verdigris recover.");
  d.require_known_server(d.blue(), deadline);
  const bool is_committed = d.standing().open->is_committed;
  give_up_if_unknown(d, invocation.dry_run, deadline, output);
  d.recall_facts();
  const Plan plan = emergency_plan(d, {});
  output.note(is_committed ? "verdict: FORWARD to blue" : "verdict: UNDO, blue stays closed");
  if (invocation.dry_run) {
    output.document({{"result", "planned"}, {"dry_run", true}, {"verdict", is_committed ? "forward" : "undo"}, {"phase", to_text(d.standing().phase)}, {"serves", d.standing().serves}});
    output.result(is_committed ? "The forced rollback would be completed; nothing was done (--dry-run)."
                               : "The forced rollback would be undone; nothing was done (--dry-run).");
    return kDone;
  }
  // It may have gone on serving, or come back open: blue is open by now.
  if (is_committed && !d.green().is_given_up()) {
    fence_if_open(d, d.green(), false, output);
    shut_out_if_open(d, d.green(), false, output);
  }
  open_blue_with_decision(d);
  handle_interrupts();
  ConsoleObserver observer(output);
  const int code = report(d, make_runner(d, plan, invocation, observer).recover(), output);
  if (code == kUndone && d.standing().open) return kNeedsHuman;  // the crossing beneath goes on only with green
  return code == kUndone || code == kRefused ? kDone : code;
}

}  // namespace verdigris
