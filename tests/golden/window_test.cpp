// docs/window.md is drawn from the plan itself, so that it cannot tell of another order. A wanted change: run with
// VERDIGRIS_WRITE_GOLDEN=1 and look at the difference.
#include <gtest/gtest.h>

#include <cstdlib>
#include <fstream>

#include "controller/config.hpp"
#include "controller/plans.hpp"

using namespace verdigris;

namespace {

const std::string kDocument = VERDIGRIS_SOURCE_DIR "/docs/window.md";

std::string node(const Plan& plan, std::size_t i) {
  return "    s" + std::to_string(i) + "[\"<b>" + std::string(plan[i].name()) + "</b><br/>" + plan[i].describe() + "\"]\n";
}

std::string box(const std::string& id, const std::string& title, const Plan& plan, std::size_t from, std::size_t to) {
  std::string text = "  subgraph " + id + "[\"" + title + "\"]\n";
  for (std::size_t i = from; i < to; ++i) text += node(plan, i);
  return text + "  end\n";
}

std::string drawing_of(const Plan& plan) {
  std::size_t end = plan.no_return();
  while (end < plan.size() && plan.is_in_window(end)) ++end;
  std::string text = "```mermaid\nflowchart TD\n";
  text += box("before", "clients run on blue", plan, 0, plan.window());
  text += box("above", "CLIENTS WAIT, everything can be undone", plan, plan.window(), plan.no_return());
  text += "  line{{\"THE LINE<br/>committed, on blue and then on green\"}}\n";
  text += box("below", "clients wait, only forward", plan, plan.no_return(), end);
  text += box("after", "clients run on green", plan, end, plan.size());
  for (std::size_t i = 0; i + 1 < plan.size(); ++i) {
    const bool crosses = i + 1 == plan.no_return();
    text += "  s" + std::to_string(i) + (crosses ? " --> line --> s" : " --> s") + std::to_string(i + 1) + "\n";
  }
  return text + "```\n";
}

std::string document() {
  Deployment d(load_playbook(VERDIGRIS_SOURCE_DIR "/playbooks/major_upgrade.yaml"), [](const std::string&) {});
  const Plan plan = cutover_plan(d, d.source_of("blue"), d.target_of("blue"));
  return "# The window\n\nDrawn from the plan of `verdigris switch` by `tests/golden/window_test.cpp`; `rollback` is the same plan with "
         "blue and green\nexchanged. `verdigris plan` prints it for your servers, with the state of each step.\n\n" +
         drawing_of(plan) +
         "\nA failure above the line, or a pause longer than `cutover.max_pause`, undoes the steps from below upwards: blue is opened "
         "in\nthe very transaction that records `undone`, which competes with `committed` for one key. Below the line every step is\n"
         "repeated until it is done; `verdigris recover` does the same after a crash.\n\n"
         "An undone attempt is over: its plan is closed, clients run, nothing is left behind. With `pooler.pause.attempts` above 1 a\n"
         "new plan is begun after `pooler.pause.backoff`, if what stopped the last one may be gone by then: a transaction, a lock, a\n"
         "session past the pooler. What a check refused, what differs and what needs a person is not tried again. The controller\n"
         "keeps its leases meanwhile; a signal ends it there (exit code 130 or 143).\n\n"
         "`switch --at` and `verdigris hold` keep it before `" + std::string(plan[plan.gate()].name()) + "`: what comes before is prepared by then. Behind a wait it begins\n"
         "with the first step again, because what was true may not be any more. Right before clients are held it looks for a hold once\n"
         "more, behind a record of its own: whoever is told \"held\" can rely on it. A hold that comes later waits to see how that attempt\n"
         "ends: undone, a further one heeds it; decided, it is too late. A session that is lost while a switch waits is opened anew.\n\n"
         "The playbook's `gates` and the guardrails are asked about every second while it waits, and changes are told; right before\n"
         "clients are held the gates are asked once more. A red one closes it as a hold does, for as long as its `wait` allows.\n\n"
         "Before the tables are closed nobody but the controller can log in any more. Whoever holds one all the same is named: sessions\n"
         "are waited for or ended as `fence.bypass` says, autovacuum is cancelled unless `fence.autovacuum: wait`, and a prepared\n"
         "transaction undoes the attempt. When `drain_to_marker` is done, the physical standbys of `cutover.standbys.promotable` have\n"
         "the fence, too.\n";
}

}  // namespace

TEST(Window, DiagramIsDrawnFromThePlan) {
  const auto text = document();
  if (std::getenv("VERDIGRIS_WRITE_GOLDEN") != nullptr) std::ofstream(kDocument, std::ios::binary) << text;
  std::ifstream file(kDocument, std::ios::binary);
  const std::string written(std::istreambuf_iterator<char>(file), {});
  EXPECT_EQ(text, written) << "docs/window.md";
}
