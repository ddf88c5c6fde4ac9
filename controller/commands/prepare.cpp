#include "controller/commands/prepare.hpp"

#include "controller/config.hpp"
#include "controller/crossing.hpp"
#include "controller/exit_codes.hpp"
#include "controller/given_plan.hpp"
#include "controller/guardrails.hpp"
#include "controller/observer.hpp"
#include "controller/plans.hpp"
#include "controller/provision/commanded_green.hpp"
#include "controller/provision/physical_green.hpp"
#include "controller/provision/provisioned_green.hpp"
#include "replication/control_schema.hpp"

namespace verdigris {
namespace {

using std::chrono::milliseconds;

void install(Deployment& d, Deadline deadline) {
  for (auto* server : {&d.blue(), &d.green()})
    install_control_schema(server->control(), d.name(), server->color(), deadline);
}

void require_green_for_plan(bool is_there, bool has_given_plan) {
  if (is_there || !has_given_plan) return;
  throw Refused("plan.no-green", "green is not made yet, and what prepare will do there is known only then",
                "Give --confirm instead of --plan for the first prepare.");
}

// Under blue's lease, so that one controller makes green.
void begin_on_blue(Deployment& d, Deadline deadline) {
  d.blue().connect(Deadline::after(milliseconds(10'000)));
  d.take_leases(milliseconds(2'000), deadline);
  d.journal().load(deadline);
  require_allowed(d.standing(), "prepare");
}

// Of a green that a program makes. What follows blue already is looked after by its operator.
void connect_to_commanded_green(Deployment& d, const CommandedGreen& green, bool has_given_plan) {
  const auto deadline = Deadline::after(milliseconds(60'000));
  begin_on_blue(d, deadline);
  if (d.standing().phase == Phase::idle) {
    require_green_for_plan(green.is_made(d.blue().control(), deadline), has_given_plan);
    d.lead_to_green(green.ensure_there(d.blue().control(), deadline));
  }
  d.connect_green(Deadline::after(milliseconds(30'000)));
}

// Of a green that verdigris makes: before anything is asked of it, and under blue's lease, so that one controller does
// it. What follows blue already is looked after by its operator.
void connect_to_made_green(Deployment& d, ProvisionedGreen& green, bool has_given_plan) {
  const auto deadline = Deadline::after(milliseconds(1'800'000));
  begin_on_blue(d, deadline);
  const bool is_idle = d.standing().phase == Phase::idle;
  if (is_idle) require_green_for_plan(green.is_there(), has_given_plan);
  if (is_idle && d.playbook().provision.is_physical())
    PhysicalGreen(d.playbook(), d.tools(), d.progress()).ensure_there(d.blue(), Deadline::after(std::chrono::hours(24 * 7)));
  else if (is_idle)
    green.ensure_there(d.blue().control(), deadline);
  d.green().connect(Deadline::after(milliseconds(10'000)));
  if (is_idle && !green.is_same_server(d.green().control(), Deadline::after(milliseconds(60'000))))
    throw Refused("provision.other-server",
                  "green: the server that answers at " + d.green().endpoint() + " is not the one that was made in " + green.path().string(),
                  "See who listens there, or name another host or port in clusters.green; nothing was changed on it.");
}

// Thrown away and made anew in the midst of a prepare: nobody was ever led there, so the plan goes on with this one.
bool is_made_anew(Deployment& d, const ProvisionedGreen& green, Deadline deadline) {
  const auto standing = d.standing();
  return standing.open && standing.phase == Phase::idle && !d.is_known(d.green(), deadline) && green.is_loading() &&
         green.is_same_server(d.green().control(), deadline);
}

}  // namespace

int run_prepare(const Invocation& invocation, Output& output) {
  const auto given = given_plan_of(invocation);
  Deployment d(load_playbook(invocation.playbook), [&](const std::string& text) {
    if (was_interrupted()) throw Error("interrupted", "interrupted by a signal", "Run verdigris prepare to go on.");
    output.note(text);
  });
  std::optional<ProvisionedGreen> made;
  if (d.playbook().provision.is_made_here()) made.emplace(d.playbook(), d.tools(), d.progress());
  if (made) connect_to_made_green(d, *made, given.has_value());
  const bool is_commanded = d.playbook().provision.is_command();
  if (is_commanded) connect_to_commanded_green(d, CommandedGreen(d.playbook(), d.progress()), given.has_value());
  const auto deadline = Deadline::after(milliseconds(120'000));
  if (!made && !is_commanded) d.connect(deadline);
  require_two_primaries(d, deadline);
  d.take_leases(milliseconds(2'000), deadline);
  d.journal().load(deadline);
  auto standing = d.standing();
  require_allowed(standing, "prepare");
  const bool is_new = made && is_made_anew(d, *made, deadline);
  if (is_new) install(d, deadline);
  is_new ? d.require_known_server(d.blue(), deadline) : d.require_known_servers(deadline);
  require_given_plan(given, d, "prepare", {}, deadline);
  const bool is_first = standing.phase == Phase::idle && !standing.open;
  require_guardrails(d, !is_first, output);
  if (is_first) install(d, deadline);
  if (!standing.open || is_new) d.journal().open_plan(d.plan_entry("prepare", "blue", deadline), "blue", deadline);
  handle_interrupts();
  ConsoleObserver observer(output);
  const Plan plan = prepare_plan(d);
  const auto result = make_runner(d, plan, invocation, observer).carry_out();
  require_all_is_carried(d);
  standing = d.standing();
  Json body{{"result", "done"}, {"phase", to_text(standing.phase)}, {"serves", standing.serves}, {"parts", Json::array()}};
  for (const auto& step : result.steps) body["parts"].push_back({{"step", step.step}, {"ms", step.ms}});
  output.document(body);
  output.result("READY. green follows blue and is closed until a switch. Next: verdigris verify, verdigris switch");
  return kDone;
}

}  // namespace verdigris
