#include "controller/commands/finish.hpp"

#include "controller/config.hpp"
#include "controller/confirmation.hpp"
#include "controller/crossing.hpp"
#include "controller/exit_codes.hpp"
#include "controller/given_plan.hpp"
#include "controller/hold.hpp"
#include "controller/lost_side.hpp"
#include "controller/observer.hpp"
#include "controller/plans.hpp"
#include "controller/steps/open_for_good.hpp"
#include "replication/access.hpp"
#include "replication/control_schema.hpp"

namespace verdigris {
namespace {

using std::chrono::milliseconds;

// Seconds since the last crossing ended, by the server's clock against the record's.
double seconds_since_switch(Deployment& d, Deadline deadline) {
  std::string at;
  for (const auto& record : d.journal().records())
    if (record.event == "committed") at = record.at;
  return d.green()
      .control()
      .query(Sql("SELECT extract(epoch FROM clock_timestamp() - $1::timestamptz)::float8"), {at}, deadline)
      .one_row(1)
      .real(0);
}

void require_time_is_over(Deployment& d, const Invocation& invocation, Deadline deadline) {
  if (invocation.now || !invocation.without.empty()) return;
  const double kept = seconds_since_switch(d, deadline);
  const double keep = static_cast<double>(d.playbook().rollback.keep.count()) / 1000;
  if (kept < keep)
    throw Refused("finish.keep", "the way back is to be kept for " + std::to_string(static_cast<long>(keep - kept)) + " s more",
                  "Wait, or run verdigris finish --now.");
}

void require_no_client_on(Server& left_behind, Deadline deadline) {
  if (left_behind.is_given_up()) return;
  const auto sessions = foreign_sessions(left_behind.control(), left_behind.deployment(), deadline);
  if (sessions.empty()) return;
  throw Refused("finish.clients", left_behind.color() + ": " + std::to_string(sessions.size()) +
                                      " client(s) are still connected: " + sessions.front().describe(),
                "Move them to the serving side first.");
}

// Nothing is left that could be held.
void lift_holds(Deployment& d, Deadline deadline, Output& output) {
  const auto hold = any_hold(d.blue(), d.green(), deadline);
  if (!hold) return;
  for (Server* server : {&d.blue(), &d.green()})
    if (server->is_connected() && has_control_schema(server->control(), deadline)) lift_hold(*server, deadline);
  output.note("no longer held by " + describe(*hold) + ": nothing is left to be switched");
}

bool is_done(const Plan& plan, Deadline deadline) {
  for (std::size_t i = 0; i < plan.size(); ++i)
    if (!std::holds_alternative<Done>(plan[i].check(deadline))) return false;
  return true;
}

// The way back is given up by whoever asks for the first time; later only what is left is removed.
void require_first_finish_allowed(Deployment& d, const Invocation& invocation, Deadline deadline) {
  require_time_is_over(d, invocation, deadline);
  require_no_client_on(d.blue(), deadline);
}

void carry_out(Deployment& d, const Plan& plan, bool opens_blue, const Invocation& invocation, Deadline deadline, Output& output) {
  const auto open = d.standing().open;
  if (!open || open->first_record.value("open_blue", false) != opens_blue) {
    auto entry = d.plan_entry("finish", "green", deadline);
    entry.detail["open_blue"] = opens_blue;
    d.journal().open_plan(entry, "green", deadline);
  }
  handle_interrupts();
  ConsoleObserver observer(output);
  make_runner(d, plan, invocation, observer).carry_out();
}

int report_finished(Deployment& d, bool is_blue_open, Output& output) {
  const auto left = left_on_lost_side(d);
  const std::string state = !left.empty() ? "lost" : is_blue_open ? "open" : "closed";
  const std::string blue = !left.empty()  ? "blue was given up as lost"
                           : is_blue_open ? "blue is open: nothing stops a forgotten client from writing there"
                                          : "blue stays closed, with the schema verdigris";
  output.document({{"result", "done"}, {"phase", "finished"}, {"serves", "green"}, {"blue", state},
                   {"left", left.empty() ? Json(nullptr) : Json(left)}});
  output.result("FINISHED. green serves, there is no way back any more; " + blue + ".");
  if (!left.empty()) output.result("NOTE: " + left + ".");
  return kDone;
}

int say_nothing_to_do(const Standing& standing, Output& output) {
  output.document({{"result", "nothing_to_do"}, {"phase", "finished"}, {"serves", standing.serves},
                   {"blue", standing.is_blue_open ? "open" : "closed"}});
  output.result("Finished already; " + standing.serves + " serves.");
  return kDone;
}

// The journal is gone from green (--purge), so no plan can be recorded: blue is opened, and with that nothing of ours is
// left to be kept there either.
int finish_purged(Deployment& d, const Invocation& invocation, Deadline deadline, Output& output) {
  if (!invocation.open_blue) return say_nothing_to_do(d.standing(), output);
  d.require_known_server(d.blue(), deadline);
  require_confirmation(invocation, d.name(), output);
  OpenForGood(d.blue(), d.playbook().fence.lock_timeout).apply(deadline);
  remove_control_schema(d.blue().control(), deadline);
  return report_finished(d, true, output);
}

}  // namespace

int run_finish(const Invocation& invocation, Output& output) {
  if (invocation.open_blue && !invocation.without.empty())
    throw Error("usage", "--open-blue cannot be done --without blue", "Leave one of them out.", Failure::usage);
  const auto given = given_plan_of(invocation);
  Deployment d(load_playbook(invocation.playbook), [&](const std::string& text) { output.note(text); });
  const auto deadline = Deadline::after(milliseconds(120'000));
  connect_but_for_lost(d, invocation, deadline, output);
  d.take_leases(milliseconds(2'000), deadline);
  d.journal().load(deadline);
  const auto standing = d.standing();
  const bool is_again = require_allowed(standing, "finish") == Permission::already_done;
  if (is_again && !has_control_schema(d.green().control(), deadline)) return finish_purged(d, invocation, deadline, output);
  d.require_known_servers(deadline);
  const bool was_opening = standing.is_blue_open || (standing.open && standing.open->first_record.value("open_blue", false));
  const bool opens_blue = invocation.open_blue || was_opening;
  const Plan plan = finish_plan(d, Source(d.green()), Target(d.blue()), {opens_blue});
  const bool has_work = !is_again || !is_done(plan, deadline) || opens_blue != was_opening;
  if (is_again) lift_holds(d, deadline, output);  // what an earlier version left
  if (!has_work && !invocation.purge) return say_nothing_to_do(standing, output);
  require_given_plan(given, d, "finish", {opens_blue, invocation.purge}, deadline);
  if (!standing.open) {
    if (!is_again) require_first_finish_allowed(d, invocation, deadline);
    if (!given || invocation.confirm) require_confirmation(invocation, d.name(), output);
  }
  if (has_work) carry_out(d, plan, opens_blue, invocation, deadline, output);
  lift_holds(d, deadline, output);
  if (invocation.purge) remove_control_schema(d.green().control(), deadline);
  if (invocation.purge && opens_blue && !d.blue().is_given_up()) remove_control_schema(d.blue().control(), deadline);
  return report_finished(d, opens_blue, output);
}

}  // namespace verdigris
