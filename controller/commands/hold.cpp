#include "controller/commands/hold.hpp"

#include "controller/config.hpp"
#include "controller/deployment.hpp"
#include "controller/exit_codes.hpp"
#include "controller/hold.hpp"
#include "replication/test_switches.hpp"

namespace verdigris {
namespace {

// Clients are held already, or will be before anybody could look: above the line only an interrupt still stops it.
bool is_too_late(const Standing& standing) {
  if (!standing.open || transition_of(standing.open->command).plan != PlanKind::cutover) return false;
  return standing.open->is_committed || (standing.open->is_in_window && !standing.open->is_undone);
}

Refused too_late(const std::string& command) {
  return {"hold.too-late", "too late to hold this " + command + ": it has begun to hold clients, and ends within its pause budget",
          "See what it came to: verdigris status"};
}

void require_something_to_hold(const Standing& standing) {
  if (is_too_late(standing)) throw too_late(standing.open->command);
  if (standing.phase == Phase::ready || standing.phase == Phase::switched) return;
  const std::string phase(to_text(standing.phase));
  throw Refused("hold.nothing", "nothing to hold: in phase " + phase + " neither switch nor rollback can come",
                standing.phase == Phase::idle ? "A switch can come after: verdigris prepare" : "There is nothing more to be switched.");
}

std::vector<Server*> connected(Deployment& d) {
  std::vector<Server*> servers;
  for (Server* server : {&d.blue(), &d.green()})
    if (server->is_connected()) servers.push_back(server);
  return servers;
}

// The controller writes that it opens the window and then looks for a hold; here the hold is written and then that record
// looked for (Runner::note_window). A crossing that was completed meanwhile is seen by who serves.
void require_in_time(Deployment& d, const Standing& before, const std::vector<Server*>& placed_on, Deadline deadline) {
  d.journal().load(deadline);
  const auto now = d.standing();
  if (!is_too_late(now) && now.serves == before.serves) return;
  for (Server* server : placed_on) lift_hold(*server, deadline);
  throw too_late(before.open ? before.open->command : now.open ? now.open->command : "crossing");
}

// One side that answers is enough to hold; but only the side that serves knows whether a switch has come too far.
void require_leader(Deployment& d, const Standing& standing, const std::string& error) {
  const std::string leader = standing.open ? standing.open->source : standing.serves;
  if (d.side(leader).is_connected()) return;
  throw Error("hold.unseen", "held on " + other_side(leader) + ", but whether a running switch was past it cannot be seen: " + error,
              "When " + leader + " answers, run the same command again.");
}

}  // namespace

int run_hold(const Invocation& invocation, Output& output) {
  Deployment d(load_playbook(invocation.playbook), [](const std::string&) {});
  const auto deadline = Deadline::after(invocation.timeout.value_or(std::chrono::milliseconds(30'000)));
  const auto errors = d.connect_what_answers(deadline);
  if (errors.size() == 2)
    throw Error("cannot-connect", errors[0] + "; " + errors[1], "Correct clusters in the playbook, or start the servers.");
  d.journal().load(deadline);
  const auto standing = d.standing();
  require_something_to_hold(standing);
  crash_point("before:hold");
  std::vector<Server*> placed_on;
  for (Server* server : connected(d))
    if (place_hold(*server, deadline)) placed_on.push_back(server);
  require_in_time(d, standing, placed_on, deadline);
  if (!errors.empty()) require_leader(d, standing, errors.front());
  for (const auto& error : errors) output.warning(error, "Held by the other side all the same; run verdigris hold again when it answers.");
  const auto hold = any_hold(d.blue(), d.green(), deadline);
  const std::string by = hold ? describe(*hold) : "nobody";
  output.document({{"result", placed_on.empty() ? "nothing_to_do" : "done"}, {"held", hold.has_value()},
                   {"by", hold ? hold->by : ""}, {"at", hold ? hold->at : ""}});
  output.result((placed_on.empty() ? "Held already by " : "Held by ") + by +
                ". No switch or rollback begins to hold clients until: verdigris release");
  return kDone;
}

}  // namespace verdigris
