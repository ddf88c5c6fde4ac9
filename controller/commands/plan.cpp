#include "controller/commands/plan.hpp"

#include <cerrno>
#include <cstring>
#include <fstream>

#include "controller/config.hpp"
#include "controller/deployment.hpp"
#include "controller/exit_codes.hpp"
#include "controller/plan_page.hpp"
#include "controller/plans.hpp"
#include "controller/printable.hpp"
#include "controller/waiting_slot.hpp"

namespace verdigris {
namespace {

using std::chrono::milliseconds;

struct Planned {
  std::string command;
  Plan plan;
  bool is_taken_back = false;  // from its end to its beginning
};

// What stands on an earlier step that is still to be done cannot be asked yet: to do.
Readiness readiness_of(Step& step, Deadline deadline) {
  try {
    return step.check(deadline);
  } catch (const Refused& error) {
    return Blocked{error.what(), error.hint()};
  } catch (const Error&) {
    return Ready{};
  }
}

int say_no_plan(const Standing& standing, const Invocation& invocation, Output& output) {
  output.document({{"result", "nothing_to_do"}, {"command", standing.open ? Json("recover") : Json(nullptr)}, {"steps", Json::array()}});
  output.result(standing.open ? "A " + standing.open->command + " was interrupted. Next: verdigris recover (--dry-run shows what it would do)"
                              : "Finished, " + standing.serves + " serves; there is nothing more to do.");
  return invocation.detailed_exitcode && standing.open ? kHasFindings : kDone;
}

// The command that goes on from here: one that was interrupted, else the next of the journey.
Planned next_of(Deployment& d, const Standing& standing) {
  const std::string command = standing.open                          ? standing.open->command
                              : standing.phase == Phase::idle        ? "prepare"
                              : standing.phase == Phase::ready       ? "switch"
                                                                     : "rollback";
  const bool opens_blue = standing.open && standing.open->first_record.value("open_blue", false);
  switch (transition_of(command).plan) {
    case PlanKind::prepare: return {command, prepare_plan(d)};
    case PlanKind::abandon: return {command, abandon_plan(d, false), true};
    case PlanKind::reads: return {command, reads_plan(d, command == kReadsToGreen ? "green" : "blue", ReadsStart::resumed)};
    case PlanKind::finish: return {command, finish_plan(d, Source(d.green()), Target(d.blue()), {opens_blue})};
    case PlanKind::emergency:
    case PlanKind::cutover: break;
  }
  return {command, cutover_plan(d, d.source_of(standing.serves), d.target_of(standing.serves))};
}

// PlannedActs of a step are asked for unless it is done for good: what stands behind the gate is looked at again then.
PlannedActs statements_of(Step& step, bool is_wanted, Deadline deadline) {
  if (!is_wanted) return {};
  try {
    return step.statements(deadline);
  } catch (const Error& error) {
    return {{"unknown", std::string("<cannot be told now: ") + error.what() + ">"}};
  }
}

PlannedStep planned(Step& step, bool is_taken_back, bool is_final, Deadline deadline) {
  PlannedStep out{std::string(step.name()), (is_taken_back ? "undo: " : "") + step.describe(), "to do", "", {}};
  if (is_taken_back) return out;
  const auto readiness = readiness_of(step, deadline);
  const bool is_done = std::holds_alternative<Done>(readiness);
  if (is_done) out.state = "done";
  if (const auto* blocked = std::get_if<Blocked>(&readiness)) {
    out.state = "blocked: " + blocked->why;
    out.hint = blocked->hint;
  }
  out.statements = statements_of(step, !is_done || !is_final, deadline);
  return out;
}

void add_around_steps(Deployment& d, const Planned& next, PlanPage& page, Deadline deadline) {
  if (!next.plan.has_line()) return;
  const std::string source = d.standing().serves;
  page.add_around("before", "before the first step", waiting_slot_statements(d, source, deadline));
  PlannedActs records;
  for (const std::string& on : {source, other_side(source)})
    records.push_back({on, recording_of_entries().text(), {d.name(), "<what begins, what has ended, what is decided>", "<on or off>"}});
  page.add_around("records", "how it is recorded, and decided", records);
}

void fill(Deployment& d, const Planned& next, PlanPage& page, Deadline deadline) {
  const Plan& plan = next.plan;
  add_around_steps(d, next, page, deadline);
  if (next.is_taken_back) {
    for (std::size_t i = plan.size(); i-- > 0;) page.add_step(planned(plan[i], true, true, deadline));
    return;
  }
  for (std::size_t i = 0; i < plan.size(); ++i) {
    if (plan.has_line() && i == plan.window()) page.say("     -- clients wait from here --");
    if (plan.has_line() && i == plan.no_return())
      page.say("     -- the line: above it everything can be undone, below it only forward --");
    page.add_step(planned(plan[i], false, i < plan.gate(), deadline));
  }
}

// The page itself, or where it was written. The document is the same in both places.
void publish(const PlanPage& page, const Json& document, const Invocation& invocation, Output& output) {
  if (invocation.plan_file.empty()) {
    output.document(document);
    for (const auto& line : page.lines()) output.result(line);
    return;
  }
  std::ofstream file(invocation.plan_file, std::ios::binary | std::ios::trunc);
  if (invocation.json) {
    file << document.dump(2) << "\n";
  } else {
    for (const auto& line : page.lines()) file << printable(line) << "\n";
  }
  file.close();
  if (!file)
    throw Error("plan.file", "cannot write \"" + invocation.plan_file.string() + "\": " + std::strerror(errno),
                "Name a file that may be written; without -o the plan goes to the terminal.");
  output.document(document);
  output.result(page.lines().back() + "  written to " + invocation.plan_file.string());
}

}  // namespace

// What the next command would do, step by step: the same steps that it would run, with what they would send.
int run_plan(const Invocation& invocation, Output& output) {
  Deployment d(load_playbook(invocation.playbook), [](const std::string&) {});
  const auto deadline = Deadline::after(invocation.timeout.value_or(milliseconds(60'000)));
  d.connect(deadline, true);
  d.journal().load(deadline);
  const auto standing = d.standing();
  const bool is_crossing =
      standing.open && (is_emergency(standing) || transition_of(standing.open->command).plan == PlanKind::cutover);
  if (is_crossing || (standing.phase == Phase::finished && !standing.open)) return say_no_plan(standing, invocation, output);
  const Planned next = next_of(d, standing);
  const bool is_begun = standing.open.has_value();
  PlanPage page(next.command);
  page.say("verdigris " + next.command + (is_begun ? " was interrupted, and would go on:" : " would do:"));
  fill(d, next, page, deadline);
  if (next.plan.has_line()) page.say("clients: " + d.traffic().effect_on_clients());
  page.say("digest sha256 " + page.digest());
  Json document{{"result", "planned"}, {"command", next.command}, {"interrupted", is_begun}};
  for (const auto& [key, value] : page.around().items()) document[key] = value;
  if (next.plan.has_line()) document["clients"] = d.traffic().effect_on_clients();
  document["steps"] = page.steps();
  document["digest"] = page.digest();
  publish(page, document, invocation, output);
  return invocation.detailed_exitcode && page.is_anything_to_do() ? kHasFindings : kDone;
}

}  // namespace verdigris
