#include "controller/commands/abandon.hpp"

#include "controller/config.hpp"
#include "controller/confirmation.hpp"
#include "controller/crossing.hpp"
#include "controller/exit_codes.hpp"
#include "controller/observer.hpp"
#include "controller/plans.hpp"
#include "replication/control_schema.hpp"

namespace verdigris {
namespace {

using std::chrono::milliseconds;

int report(Output& output, const std::string& result, const std::string& text) {
  output.document({{"result", result}, {"phase", "idle"}, {"serves", "blue"}});
  output.result(text);
  return kDone;
}

}  // namespace

int run_abandon(const Invocation& invocation, Output& output) {
  Deployment d(load_playbook(invocation.playbook), [&](const std::string& text) { output.note(text); });
  const auto deadline = Deadline::after(milliseconds(120'000));
  d.connect(deadline);
  d.take_leases(milliseconds(2'000), deadline);
  if (!has_control_schema(d.blue().control(), deadline) && !has_control_schema(d.green().control(), deadline))
    return report(output, "nothing_to_do", "Nothing of ours is on blue or green.");
  // One that got lost half-way may be missing on one side only; undoing needs it on both.
  for (auto* server : {&d.blue(), &d.green()})
    install_control_schema(server->control(), d.name(), server->color(), deadline);
  d.journal().load(deadline);
  require_allowed(d.standing(), "abandon");
  require_confirmation(invocation, d.name(), output);
  d.journal().open_plan(d.plan_entry("abandon", "blue", deadline), "blue", deadline);
  ConsoleObserver observer(output);
  const Plan plan = prepare_plan(d, invocation.drop_green);
  make_runner(d, plan, invocation, observer).take_back();
  for (auto* server : {&d.green(), &d.blue()}) remove_control_schema(server->control(), deadline);
  return report(output, "done",
                invocation.drop_green ? "ABANDONED. blue is as it was found, green is empty."
                                      : "ABANDONED. blue is as it was found; green keeps what was copied (--drop-green removes it).");
}

}  // namespace verdigris
