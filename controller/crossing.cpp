#include "controller/crossing.hpp"

#include <fmt/format.h>

#include <memory>

#include "controller/commands/move_reads.hpp"
#include "controller/confirmation.hpp"
#include "controller/config.hpp"
#include "controller/exit_codes.hpp"
#include "controller/given_plan.hpp"
#include "controller/guardrails.hpp"
#include "controller/observer.hpp"
#include "controller/plans.hpp"
#include "controller/start_gate.hpp"
#include "controller/stream_guard.hpp"
#include "controller/waiting_slot.hpp"

namespace verdigris {
namespace {

using std::chrono::milliseconds;

// A refusal blocks its step; the others are asked all the same.
Readiness readiness_of(Step& step) {
  try {
    return step.check(Deadline::after(milliseconds(30'000)));
  } catch (const Refused& error) {
    return Blocked{error.what(), error.hint()};
  }
}

double between(std::chrono::steady_clock::time_point a, std::chrono::steady_clock::time_point b) {
  return std::chrono::duration<double, std::milli>(b - a).count();
}

Json parity_json(const CutoverFacts& facts) {
  if (!facts.parity) return {{"verdict", "unknown"}, {"tables", 0}, {"uncovered", Json::array()}};
  return {{"verdict", facts.parity->is_equal() ? "equal" : "different"},
          {"tables", facts.parity->tables.size()},
          {"uncovered", facts.parity->uncovered}};
}

std::optional<double> pause_of(Deployment& d) {
  const auto times = d.traffic().pause_times();
  if (!times.first_pause_sent || !times.last_resume_acknowledged) return std::nullopt;
  return between(*times.first_pause_sent, *times.last_resume_acknowledged);
}

// Which attempts were undone, and why.
Json attempts_json(const std::vector<RunResult>& undone) {
  Json list = Json::array();
  for (const auto& one : undone)
    list.push_back({{"attempt", list.size() + 1},
                    {"reason", one.reason},
                    {"reason_id", one.reason_id},
                    {"pause_ms", one.pause_ms ? Json(*one.pause_ms) : Json(nullptr)}});
  return list;
}

// An error ends them all: what clients were held for before it is said with it.
void tell_undone(const std::vector<RunResult>& undone, Output& output) {
  if (undone.empty()) return;
  int number = 0;
  for (const auto& one : undone) output.warning(fmt::format("attempt {} was undone: {}", ++number, one.reason), one.reason_hint);
  output.with_error({{"attempts", undone.size() + 1}, {"undone_attempts", attempts_json(undone)}});
}

Json result_json(Deployment& d, const RunResult& result, const std::vector<RunResult>& undone) {
  const auto standing = d.standing();
  Json body;
  body["result"] = result.ending == Ending::done ? "done" : "undone";
  body["phase"] = to_text(standing.phase);
  body["serves"] = standing.serves;
  body["reads"] = d.playbook().pooler.reads.empty() ? Json(nullptr) : Json(reads_of(standing));
  const auto pause = pause_of(d);
  body["pause_ms"] = pause ? Json(*pause) : Json(nullptr);
  body["clients"] = d.traffic().effect_on_clients();
  body["waiting_clients"] = d.traffic().pause_times().waiting_clients;
  body["attempts"] = undone.size() + (result.ending == Ending::done ? 1 : 0);
  body["undone_attempts"] = attempts_json(undone);
  body["parts"] = Json::array();
  for (const auto& step : result.steps) body["parts"].push_back({{"step", step.step}, {"ms", step.ms}});
  body["parity"] = parity_json(d.facts());
  body["line"] = d.facts().line ? Json(d.facts().line->text()) : Json(nullptr);
  if (result.ending == Ending::undone) {
    body["reason"] = result.reason;
    body["reason_id"] = result.reason_id;
  }
  if (!result.reason_hint.empty()) body["hint"] = result.reason_hint;
  if (!result.given_up.empty()) body["way_back"] = "no: " + result.given_up;
  return body;
}

// What clients met, as the last sentence has it.
std::string clients_text(Deployment& d) {
  const auto ms = pause_of(d);
  if (!ms) return "";
  if (!d.traffic().abilities().can_hold_clients)
    return fmt::format(" Clients were not held: for {:.0f} ms they were turned away.", *ms);
  const int waited = d.traffic().pause_times().waiting_clients;
  return fmt::format(" Clients waited {:.0f} ms", *ms) + (waited > 0 ? fmt::format(", {} of them at the end.", waited) : ".");
}

// Before clients waited nothing was changed for them: then it is the reason that counts.
int exit_code_of_undone(const RunResult& result) {
  if (result.failure == Failure::differs) return kDiffers;
  if (result.window_was_open) return kUndone;
  if (result.reason_id == "interrupted") return exit_code_of_interruption();
  const bool is_told_apart = result.failure == Failure::refused || result.failure == Failure::timed_out;
  return is_told_apart ? outcome_of(result.failure).code : kUndone;
}

// Clients are served, and that stays so; but what was promised with it is not there, and only a person can say what now.
int report_given_up(const Standing& standing, const RunResult& result, Output& output) {
  if (standing.phase == Phase::switched) {
    output.result("NO WAY BACK: " + result.given_up);
    output.result("HINT:  Rollback is off until \"verdigris status\" says \"way back: open\"; to end without one, run: verdigris finish --now");
  } else {
    output.result("NOT FOLLOWED: " + result.given_up);
    output.result("HINT:  A switch is off until \"verdigris status\" says so; to begin anew, run: verdigris abandon, then verdigris prepare");
  }
  return kNeedsHuman;
}

void look_before(Deployment& d, const std::string& source, Deadline deadline) {
  d.require_known_servers(deadline);
  require_not_loading(d, deadline);
  require_verified(d, deadline);
  require_commits_return(d, deadline);
  require_following(d, source, deadline);
}

Plan plan_of(Deployment& d, const std::string& source, const Invocation& invocation,
             std::shared_ptr<GateWatch> watch = nullptr) {
  return cutover_plan(d, d.source_of(source), d.target_of(source), invocation.max_pause, std::move(watch));
}

// The leases are kept from one attempt to the next: let go, another controller's plan could come between, and this one
// would go on with what it knew before. A session that was lost meanwhile is opened anew with its lease, and then the
// journal must say what it said when we left it. What was found out for an attempt is forgotten with it.
void come_back(Deployment& d, const std::string& source) {
  const auto deadline = Deadline::after(milliseconds(60'000));
  d.reopen(deadline);
  std::destroy_at(&d.facts());  // it holds references, so it cannot be assigned to
  std::construct_at(&d.facts());
  look_before(d, source, deadline);
}

RunResult attempt_crossing(Deployment& d, const std::string& source, const Invocation& invocation, RunObserver& observer) {
  const auto deadline = Deadline::after(milliseconds(60'000));
  const auto watch = crossing_gates(d, d.source_of(source), d.target_of(source), d.progress());
  const Plan plan = plan_of(d, source, invocation, watch);
  bring_waiting_slot_close(d, source, deadline);
  auto first = d.plan_entry(invocation.command, source, deadline);
  if (invocation.at) first.detail["not_before"] = utc_time_text(*invocation.at);
  d.journal().open_plan(first, source, deadline);
  d.recall_facts();
  handle_interrupts();
  StartGate gate(
      d.blue(), d.green(), {invocation.at, invocation.timeout},
      [&](Deadline until) { bring_waiting_slot_close(d, source, until); }, watch);
  auto result = make_runner(d, plan, invocation, observer, &gate).cross([&d]() -> Json {
    return {{"line", d.facts().line.value().text()}};
  });
  if (result.window_was_open) result.pause_ms = pause_of(d);
  return result;
}

}  // namespace

// Every step's description and check. A step that is blocked would stop the switch, so it is a refusal.
int dry_run(const Plan& plan, const std::string& command, const std::string& effect, Output& output) {
  Json steps = Json::array();
  std::string blocked_step;
  for (std::size_t i = 0; i < plan.size(); ++i) {
    if (plan.has_line() && i == plan.no_return()) output.result("-- the line --");
    const auto begin = std::chrono::steady_clock::now();
    const auto readiness = readiness_of(plan[i]);
    const auto took = std::chrono::duration_cast<milliseconds>(std::chrono::steady_clock::now() - begin);
    const auto* blocked = std::get_if<Blocked>(&readiness);
    const std::string verdict = blocked != nullptr ? "blocked: " + blocked->why
                                : std::holds_alternative<Done>(readiness) ? "nothing to do" : "ready";
    if (blocked != nullptr && blocked_step.empty()) blocked_step = plan[i].name();
    output.result(fmt::format("{:<22} {:<60} {} ({} ms)", plan[i].name(), plan[i].describe(), verdict, took.count()));
    if (blocked != nullptr && !blocked->hint.empty()) output.result("         HINT:  " + blocked->hint);
    steps.push_back({{"step", plan[i].name()}, {"does", plan[i].describe()}, {"state", verdict}, {"ms", took.count()}});
  }
  output.result("clients: " + effect);
  output.result(blocked_step.empty() ? "Ready: nothing was changed. Next: verdigris " + command
                                     : "Blocked at " + blocked_step + ": nothing was changed.");
  output.document({{"result", blocked_step.empty() ? "ready" : "refused"}, {"dry_run", true}, {"clients", effect}, {"steps", steps}});
  return blocked_step.empty() ? kDone : kRefused;
}

void warn_of_errors(const Traffic& traffic, Output& output) {
  if (!traffic.abilities().is_proven)
    output.warning("clients: " + traffic.effect_on_clients(), "playbooks/other_traffic.md says what they must be able to do.");
}

RunLimits limits_of(const Playbook& playbook, const Invocation& invocation) {
  RunLimits limits;
  limits.max_pause = invocation.max_pause.value_or(playbook.cutover.max_pause);
  if (invocation.timeout) limits.before_window = limits.recovery = *invocation.timeout;
  return limits;
}

Runner make_runner(Deployment& d, const Plan& plan, const Invocation& invocation, RunObserver& observer, Gate* gate) {
  return Runner(plan, d.journal(), limits_of(d.playbook(), invocation), observer,
                [&d](Deadline deadline) { d.reopen(deadline); }, gate);
}

int report_crossing(Deployment& d, const RunResult& result, const std::string& command, Output& output,
                    const std::vector<RunResult>& undone) {
  output.document(result_json(d, result, undone));
  const auto standing = d.standing();
  if (result.ending == Ending::undone) {
    output.result(fmt::format("UNDONE. {} serves as before: {}", standing.serves, result.reason));
    if (!result.reason_hint.empty()) output.result("HINT:  " + result.reason_hint);
    if (command == "recover") return kDone;
    return exit_code_of_undone(result);
  }
  const bool is_switched = standing.phase == Phase::switched;
  const std::string next = !result.given_up.empty() ? "" : is_switched ? "Undo: verdigris rollback" : "Again: verdigris switch";
  output.result(fmt::format("{}. {} serves.{} {}", command == "rollback" ? "ROLLED BACK" : "SWITCHED", standing.serves,
                            clients_text(d), next));
  return result.given_up.empty() ? kDone : report_given_up(standing, result, output);
}

namespace {

// are_readers_left: set instead of a report if only readers are to be brought back: a command of its own.
int cross(const Invocation& invocation, Output& output, bool& are_readers_left) {
  const std::string command = invocation.command;
  const std::string source = std::string(transition_of(command).source);
  const auto given = given_plan_of(invocation);
  if (given && invocation.max_pause)
    throw Error("usage", "--max-pause cannot be given with --plan: the budget of a plan is the playbook's", "Leave it out, or give --confirm instead of --plan.",
                Failure::usage);
  Deployment d(load_playbook(invocation.playbook), [&](const std::string& text) { output.note(text); });
  const auto deadline = Deadline::after(milliseconds(60'000));
  d.connect(deadline, invocation.dry_run);
  if (!invocation.dry_run) d.take_leases(milliseconds(2'000), deadline);
  d.journal().load(deadline);
  if (require_allowed(d.standing(), command) == Permission::already_done) {
    are_readers_left = command == "rollback" && invocation.traffic == "all" && d.standing().are_reads_ahead;
    if (are_readers_left) return kDone;
    output.document({{"result", "nothing_to_do"}, {"phase", to_text(d.standing().phase)}, {"serves", d.standing().serves}});
    output.result(d.standing().serves + " serves already; nothing to do.");
    return kDone;
  }
  look_before(d, source, deadline);
  require_readers_in_place(d, invocation, deadline);
  require_given_plan(given, d, command, {}, deadline);
  if (invocation.at) output.note("begins not before " + start_time_text(*invocation.at, std::chrono::system_clock::now()));
  if (invocation.dry_run) return dry_run(plan_of(d, source, invocation), command, d.traffic().effect_on_clients(), output);
  warn_of_errors(d.traffic(), output);
  if (!given || invocation.confirm) require_confirmation(invocation, d.name(), output);
  ConsoleObserver observer(output);
  const auto& pause = d.playbook().pooler;
  Attempts all;
  try {
    cross_in_attempts({pause.attempts, pause.backoff},
                      [&](int number) {
                        if (number > 1) come_back(d, source);
                        return attempt_crossing(d, source, invocation, observer);
                      },
                      observer, all);
  } catch (const Error&) {
    tell_undone(all.undone, output);
    throw;
  }
  return report_crossing(d, all.last, command, output, all.undone);
}

}  // namespace

int run_crossing(const Invocation& invocation, Output& output) {
  bool are_readers_left = false;
  const int code = cross(invocation, output, are_readers_left);
  if (!are_readers_left) return code;
  Invocation of_readers = invocation;  // its leases are let go by now
  of_readers.plan.reset();
  of_readers.at.reset();
  of_readers.max_pause.reset();
  return run_move_of_reads(of_readers, "blue", output);
}

}  // namespace verdigris
