#include "controller/commands/finish.hpp"

#include "controller/config.hpp"
#include "controller/confirmation.hpp"
#include "controller/crossing.hpp"
#include "controller/exit_codes.hpp"
#include "controller/observer.hpp"
#include "controller/plans.hpp"
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
  if (invocation.now) return;
  const double kept = seconds_since_switch(d, deadline);
  const double keep = static_cast<double>(d.playbook().rollback.keep.count()) / 1000;
  if (kept < keep)
    throw Refused("finish.keep", "the way back is to be kept for " + std::to_string(static_cast<long>(keep - kept)) + " s more",
                  "Wait, or run verdigris finish --now.");
}

void require_no_client_on(Server& left_behind, Deadline deadline) {
  const auto sessions = foreign_sessions(left_behind.control(), left_behind.deployment(), deadline);
  if (sessions.empty()) return;
  throw Refused("finish.clients", left_behind.color() + ": " + std::to_string(sessions.size()) +
                                      " client(s) are still connected: " + sessions.front().describe(),
                "Move them to the serving side first.");
}

}  // namespace

int run_finish(const Invocation& invocation, Output& output) {
  Deployment d(load_playbook(invocation.playbook), [&](const std::string& text) { output.note(text); });
  const auto deadline = Deadline::after(milliseconds(120'000));
  d.connect(deadline);
  d.take_leases(milliseconds(2'000), deadline);
  d.journal().load(deadline);
  const auto standing = d.standing();
  if (require_allowed(standing, "finish") == Permission::already_done) {
    output.document({{"result", "nothing_to_do"}, {"phase", "finished"}, {"serves", standing.serves}});
    output.result("Finished already; " + standing.serves + " serves.");
    return kDone;
  }
  d.require_known_servers(deadline);
  if (!standing.open) {
    require_time_is_over(d, invocation, deadline);
    require_no_client_on(d.blue(), deadline);
    require_confirmation(invocation, d.name(), output);
    d.journal().open_plan(d.plan_entry("finish", "green", deadline), "green", deadline);
  }
  handle_interrupts();
  ConsoleObserver observer(output);
  const Plan plan = finish_plan(d, Source(d.green()), Target(d.blue()), {invocation.open_blue});
  make_runner(d, plan, invocation, observer).carry_out();
  if (invocation.purge) remove_control_schema(d.green().control(), deadline);
  if (invocation.purge && invocation.open_blue) remove_control_schema(d.blue().control(), deadline);
  const std::string blue = invocation.open_blue ? "blue is open: nothing stops a forgotten client from writing there"
                                                : "blue stays closed, with the schema verdigris";
  output.document({{"result", "done"}, {"phase", "finished"}, {"serves", "green"}, {"blue", invocation.open_blue ? "open" : "closed"}});
  output.result("FINISHED. green serves, there is no way back any more; " + blue + ".");
  return kDone;
}

}  // namespace verdigris
