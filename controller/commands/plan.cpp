#include "controller/commands/plan.hpp"

#include <fmt/format.h>

#include "controller/config.hpp"
#include "controller/deployment.hpp"
#include "controller/exit_codes.hpp"
#include "controller/plans.hpp"

namespace verdigris {
namespace {

using std::chrono::milliseconds;

std::string state_of(Step& step, Deadline deadline) {
  try {
    const auto readiness = step.check(deadline);
    if (const auto* blocked = std::get_if<Blocked>(&readiness)) return "blocked: " + blocked->why;
    return std::holds_alternative<Done>(readiness) ? "done" : "to do";
  } catch (const Error&) {
    return "to do";  // it stands on an earlier step that is still to be done
  }
}

int say_no_plan(const Standing& standing, Output& output) {
  const std::string next = standing.open ? "recover" : "";
  output.document({{"result", "nothing_to_do"}, {"command", next.empty() ? Json(nullptr) : Json(next)}, {"steps", Json::array()}});
  output.result(standing.open ? "A " + standing.open->command + " was interrupted. Next: verdigris recover"
                              : "Finished, " + standing.serves + " serves; there is nothing more to do.");
  return kDone;
}

}  // namespace

// What the next command would do, step by step: the same steps that it would run.
int run_plan(const Invocation& invocation, Output& output) {
  Deployment d(load_playbook(invocation.playbook), [](const std::string&) {});
  const auto deadline = Deadline::after(milliseconds(60'000));
  d.connect(deadline, true);
  d.journal().load(deadline);
  const auto standing = d.standing();
  const bool is_crossing = standing.open && transition_of(standing.open->command).plan == PlanKind::cutover;
  if (standing.phase == Phase::finished || is_crossing) return say_no_plan(standing, output);
  const bool is_prepared = standing.phase != Phase::idle && !standing.open;
  const std::string command = !is_prepared ? "prepare" : standing.phase == Phase::ready ? "switch" : "rollback";
  const Plan plan = is_prepared ? cutover_plan(d, d.source_of(standing.serves), d.target_of(standing.serves)) : prepare_plan(d);
  Json body{{"result", "planned"}, {"command", command}, {"steps", Json::array()}};
  output.result("verdigris " + command + " would do:");
  for (std::size_t i = 0; i < plan.size(); ++i) {
    if (plan.has_line() && i == plan.no_return()) output.result("     -- the line: above it everything can be undone, below it only forward --");
    const std::string state = state_of(plan[i], deadline);
    output.result(fmt::format("{:>3}  {:<24} {:<70} {}", i + 1, plan[i].name(), plan[i].describe(), state));
    body["steps"].push_back({{"step", plan[i].name()}, {"does", plan[i].describe()}, {"state", state}});
  }
  output.document(body);
  return kDone;
}

}  // namespace verdigris
