#include "controller/commands/plan.hpp"

#include <fmt/format.h>

#include "controller/config.hpp"
#include "controller/deployment.hpp"
#include "controller/exit_codes.hpp"
#include "controller/plans.hpp"

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

int say_no_plan(const Standing& standing, Output& output) {
  output.document({{"result", "nothing_to_do"}, {"command", standing.open ? Json("recover") : Json(nullptr)}, {"steps", Json::array()}});
  output.result(standing.open ? "A " + standing.open->command + " was interrupted. Next: verdigris recover (--dry-run shows what it would do)"
                              : "Finished, " + standing.serves + " serves; there is nothing more to do.");
  return kDone;
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
    case PlanKind::finish: return {command, finish_plan(d, Source(d.green()), Target(d.blue()), {opens_blue})};
    case PlanKind::emergency:
    case PlanKind::cutover: break;
  }
  return {command, cutover_plan(d, d.source_of(standing.serves), d.target_of(standing.serves))};
}

class Printer {
 public:
  Printer(Output& output, Deadline deadline) : output_(output), deadline_(deadline) {}

  void add(Step& step, bool is_taken_back) {
    const std::string does = (is_taken_back ? "undo: " : "") + step.describe();
    const auto readiness = is_taken_back ? Readiness(Ready{}) : readiness_of(step, deadline_);
    const auto* blocked = std::get_if<Blocked>(&readiness);
    const std::string state = blocked != nullptr                        ? "blocked: " + blocked->why
                              : std::holds_alternative<Done>(readiness) ? "done"
                                                                        : "to do";
    output_.result(fmt::format("{:>3}  {:<24} {:<70} {}", steps_.size() + 1, step.name(), does, state));
    if (blocked != nullptr && !blocked->hint.empty()) output_.result("         HINT:  " + blocked->hint);
    steps_.push_back({{"step", step.name()}, {"does", does}, {"state", state}});
  }
  const Json& steps() const { return steps_; }

 private:
  Output& output_;
  Deadline deadline_;
  Json steps_ = Json::array();
};

void print(const Planned& next, Printer& printer, Output& output) {
  const Plan& plan = next.plan;
  if (next.is_taken_back)
    for (std::size_t i = plan.size(); i-- > 0;) printer.add(plan[i], true);
  else
    for (std::size_t i = 0; i < plan.size(); ++i) {
      if (plan.has_line() && i == plan.no_return())
        output.result("     -- the line: above it everything can be undone, below it only forward --");
      printer.add(plan[i], false);
    }
}

}  // namespace

// What the next command would do, step by step: the same steps that it would run.
int run_plan(const Invocation& invocation, Output& output) {
  Deployment d(load_playbook(invocation.playbook), [](const std::string&) {});
  const auto deadline = Deadline::after(milliseconds(60'000));
  d.connect(deadline, true);
  d.journal().load(deadline);
  const auto standing = d.standing();
  const bool is_crossing =
      standing.open && (is_emergency(standing) || transition_of(standing.open->command).plan == PlanKind::cutover);
  if (is_crossing || (standing.phase == Phase::finished && !standing.open)) return say_no_plan(standing, output);
  const Planned next = next_of(d, standing);
  const bool is_begun = standing.open.has_value();
  output.result("verdigris " + next.command + (is_begun ? " was interrupted, and would go on:" : " would do:"));
  Printer printer(output, deadline);
  print(next, printer, output);
  Json body{{"result", "planned"}, {"command", next.command}, {"interrupted", is_begun}};
  if (next.plan.has_line()) {
    output.result("clients: " + d.traffic().effect_on_clients());
    body["clients"] = d.traffic().effect_on_clients();
  }
  body["steps"] = printer.steps();
  output.document(body);
  return kDone;
}

}  // namespace verdigris
