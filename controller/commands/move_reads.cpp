#include "controller/commands/move_reads.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "controller/config.hpp"
#include "controller/confirmation.hpp"
#include "controller/crossing.hpp"
#include "controller/exit_codes.hpp"
#include "controller/observer.hpp"
#include "controller/plans.hpp"
#include "controller/stream_guard.hpp"
#include "replication/access.hpp"

namespace verdigris {
namespace {

using std::chrono::milliseconds;

constexpr milliseconds kMovePatience{60'000};
constexpr milliseconds kNoHolding{0};

std::string_view command_to(const std::string& to) { return to == "green" ? kReadsToGreen : kReadsToBlue; }

void require_reads(const Playbook& playbook) {
  if (playbook.pooler.reads.empty())
    throw Refused("reads.none", "the playbook names no database of the pooler for readers", "Name them under pooler.reads.");
}

void require_options(const Invocation& invocation) {
  const auto refuse = [](const std::string& option) {
    throw Error("usage", option + " means nothing with --traffic reads: nobody is held and nothing is closed", "Leave it out.", Failure::usage);
  };
  if (invocation.at) refuse("--at");
  if (invocation.max_pause) refuse("--max-pause");
}

// Readers must get away from a green that is gone, or another one. Its connections are closed when it comes back.
void leave_green_if_unusable(Deployment& d, Deadline deadline, Output& output) {
  if (d.green().is_given_up()) return;
  if (d.green().is_connected() && d.is_known(d.green(), deadline)) return;
  output.warning(d.green().is_connected() ? "green: another server answers than the one of the journal; it is left alone"
                                          : "green does not answer: readers are led away from it, and it is left as it is",
                 "Should it come back: verdigris recover closes it for connections again.");
  d.green().give_up();
}

void connect(Deployment& d, const std::string& to, const Invocation& invocation, Deadline deadline) {
  if (to == "green") return d.connect(deadline, invocation.dry_run);
  const auto errors = d.connect_what_answers(deadline, invocation.dry_run);
  if (!d.blue().is_connected()) throw Error("cannot-connect", errors.front(), "Correct clusters.blue in the playbook, or start the server.");
}

// What lasts is as it should be; what only looks is not asked.
bool is_in_place(const Plan& plan, Deadline deadline) {
  for (std::size_t i = 0; i < plan.size(); ++i)
    if (plan[i].leaves_trace() && !std::holds_alternative<Done>(plan[i].check(deadline))) return false;
  return true;
}

// What can be seen without changing anything is refused before anything is recorded.
void require_possible(const Plan& plan, Deadline deadline) {
  for (std::size_t i = 0; i < plan.size(); ++i) {
    const auto readiness = plan[i].check(deadline);
    if (const auto* blocked = std::get_if<Blocked>(&readiness))
      throw Refused("step." + std::string(plan[i].name()), blocked->why, blocked->hint);
  }
}

RunResult carry_out_to(Deployment& d, const std::string& to, ReadsStart start, const Invocation& invocation, RunObserver& observer) {
  const Plan plan = reads_plan(d, to, start);
  return make_runner(d, plan, invocation, observer).carry_out({{"reads", to}});
}

// Nothing is decided by a move of readers, so the way back is always there: blue serves and has all of it.
RunResult carry_out_or_bring_back(Deployment& d, const std::string& to, ReadsStart start, const Invocation& invocation,
                                  RunObserver& observer, Output& output) {
  try {
    return carry_out_to(d, to, start, invocation, observer);
  } catch (const Error& error) {
    if (to == "blue" || was_interrupted() || error.failure() == Failure::busy || error.failure() == Failure::needs_human) throw;
    observer.remarked(std::string("undo: ") + error.what());
    const auto deadline = Deadline::after(kMovePatience);
    d.reopen(deadline);
    if (!d.standing().open && reads_of(d.standing()) == to) return {};  // its last record stands after all
    leave_green_if_unusable(d, deadline, output);
    carry_out_to(d, "blue", ReadsStart::resumed, invocation, observer);
    d.reads_traffic().discard_staged();
    const bool is_refusal = error.failure() == Failure::refused;
    throw Error(error.id(), std::string(error.what()) + "; readers are on blue", error.hint(), is_refusal ? Failure::refused : Failure::undone);
  }
}

Json report_json(Deployment& d, const std::string& result) {
  const auto standing = d.standing();
  return {{"result", result}, {"phase", to_text(standing.phase)}, {"serves", standing.serves}, {"reads", reads_of(standing)}};
}

int report(Deployment& d, const RunResult& result, const std::string& sentence, Output& output) {
  Json body = report_json(d, "done");
  body["parts"] = Json::array();
  for (const auto& step : result.steps) {
    body["parts"].push_back({{"step", step.step}, {"ms", step.ms}, {"account", step.account}});
    if (step.step == "let_readers_leave" && !step.account.starts_with("no ")) output.warning("readers: " + step.account);
  }
  output.document(body);
  output.result(sentence);
  return kDone;
}

}  // namespace

int run_move_of_reads(const Invocation& invocation, const std::string& to, Output& output) {
  if (invocation.plan)
    throw Error("usage", "--plan cannot be given with --traffic reads: plan tells of what moves writes", "Leave it out.", Failure::usage);
  require_options(invocation);
  Deployment d(load_playbook(invocation.playbook), [&](const std::string& text) { output.note(text); });
  require_reads(d.playbook());
  const auto deadline = Deadline::after(kMovePatience);
  connect(d, to, invocation, deadline);
  if (!invocation.dry_run) d.take_leases(milliseconds(2'000), deadline);
  d.journal().load(deadline);
  const auto standing = d.standing();
  const std::string command(command_to(to));
  require_allowed(standing, command);
  if (to == "blue") leave_green_if_unusable(d, deadline, output);
  d.require_known_servers(deadline);
  if (to == "green") require_not_loading(d, deadline);
  if (to == "green") require_verified(d, deadline);
  if (to == "green") require_following(d, "blue", deadline);
  // Poolers may lead there already, some of them, or where nobody answers any more. On the way to blue none of it is asked
  // first: one pooler that is not as expected must not keep the readers of another on green.
  const auto start = standing.open || to == "blue" || reads_of(standing) == to ? ReadsStart::resumed : ReadsStart::fresh;
  const Plan plan = reads_plan(d, to, start);
  if (!standing.open && reads_of(standing) == to && is_in_place(reads_plan(d, to, ReadsStart::resumed), deadline)) {
    output.document(report_json(d, "nothing_to_do"));
    output.result("Readers are on " + to + " already; nothing to do.");
    return kDone;
  }
  if (invocation.dry_run) return dry_run(plan, command, "readers go on and see no error; writers notice nothing", output);
  if (!standing.open) require_possible(plan, deadline);
  require_confirmation(invocation, d.name(), output);
  if (!standing.open || standing.open->command != command) d.journal().open_plan(d.plan_entry(command, "blue", deadline), "blue", deadline);
  handle_interrupts();
  ConsoleObserver observer(output);
  const auto result = carry_out_or_bring_back(d, to, start, invocation, observer, output);
  return report(d, result, to == "green" ? "READERS MOVED to green; blue serves writers. Undo: verdigris rollback --traffic reads"
                                         : "READERS BACK on blue, which serves all. Again: verdigris switch --traffic reads", output);
}

int recover_move_of_reads(Deployment& d, const Invocation& invocation, Deadline deadline, Output& output) {
  if (!d.blue().is_connected())
    throw NeedsHuman("source.unreachable", "blue does not answer, and a move of readers is not complete", "Bring blue back and run verdigris recover.");
  require_reads(d.playbook());
  d.require_known_server(d.blue(), deadline);
  leave_green_if_unusable(d, deadline, output);
  output.note("verdict: READERS BACK to blue");
  if (invocation.dry_run) {
    Json body = report_json(d, "planned");
    body["dry_run"] = true;
    body["verdict"] = "reads_to_blue";
    output.document(body);
    output.result("Readers would be led back to blue; nothing was done (--dry-run).");
    return kDone;
  }
  handle_interrupts();
  ConsoleObserver observer(output);
  const auto result = carry_out_to(d, "blue", ReadsStart::resumed, invocation, observer);
  d.reads_traffic().discard_staged();
  return report(d, result, "READERS BACK on blue, which serves all. Again: verdigris switch --traffic reads", output);
}

namespace {

// As readers leave it that are led away from a green that is gone. Found in the window, clients would wait for nothing.
void require_no_door_open(Server& follower, Deadline deadline) {
  if (is_access_closed(follower.control(), follower.deployment(), deadline)) return;
  throw Refused("target.open", follower.color() + ": it takes connections before it serves, and its connection fence should be closed",
                "Run: verdigris recover. If it stays so: ALTER DATABASE " + follower.dbname() + " CONNECTION LIMIT 0");
}

}  // namespace

void require_readers_in_place(Deployment& d, const Invocation& invocation, Deadline deadline) {
  const auto standing = d.standing();
  if (!standing.are_reads_ahead) require_no_door_open(d.side(other_side(standing.serves)), deadline);
  if (d.playbook().pooler.reads.empty()) return;
  if (!standing.are_reads_ahead) {
    if (invocation.traffic != "writes") return;
    const bool is_back = standing.serves == "green";
    throw Refused("reads.behind",
                  "readers are on " + standing.serves + ", which is closed for everybody once writers have left it",
                  is_back ? "Bring both back together: verdigris rollback --traffic all"
                          : "Move them first: verdigris switch --traffic reads; or both together: --traffic all");
  }
  try {
    d.reads_traffic().require_sound(d.endpoint("green"), kNoHolding, deadline);
  } catch (const Refused& error) {
    throw Refused(error.id(), "readers should be on green: " + std::string(error.what()),
                  "Lead them there again: verdigris switch --traffic reads; or back to blue: verdigris rollback --traffic reads");
  }
}

}  // namespace verdigris
