#include "controller/commands/hold.hpp"

#include <thread>

#include "controller/config.hpp"
#include "controller/deployment.hpp"
#include "controller/exit_codes.hpp"
#include "controller/hold.hpp"
#include "controller/lease.hpp"
#include "replication/test_switches.hpp"

namespace verdigris {
namespace {

using std::chrono::milliseconds;

constexpr milliseconds kHoldLook{100};
constexpr milliseconds kReconnecting{2'000};  // a controller that lost its sessions has no lease for so long

bool is_crossing(const Standing& standing) {
  return standing.open && transition_of(standing.open->command).plan == PlanKind::cutover;
}
bool is_too_late(const Standing& standing) { return is_crossing(standing) && standing.open->is_committed; }
// Clients are held already, or will be before anybody could look; how it ends is not known yet.
bool is_in_window(const Standing& standing) {
  return is_crossing(standing) && standing.open->is_in_window && !standing.open->is_committed && !standing.open->is_undone;
}

bool is_at_work(Deployment& d, Deadline deadline) {
  for (Server* server : {&d.blue(), &d.green()})
    if (server->is_connected() && lease_holder(server->control(), d.name(), deadline)) return true;
  return false;
}

Refused too_late(Deployment& d, const std::string& command, Deadline deadline) {
  const bool is_interrupted = d.standing().open && !is_at_work(d, deadline);
  return {"hold.too-late", "too late to hold this " + command + ": it is decided" + (is_interrupted ? ", and its controller is gone" : ""),
          is_interrupted ? "Complete it: verdigris recover" : "See what it came to: verdigris status"};
}

void require_something_to_hold(Deployment& d, Deadline deadline) {
  const auto standing = d.standing();
  if (is_too_late(standing)) throw too_late(d, standing.open->command, deadline);
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

enum class Outcome { held, undone, interrupted };

// The controller writes that it opens the window and then looks for a hold; here the hold is written and then that record
// looked for (Runner::note_window). An attempt that is past it is waited for, which takes no longer than its pause budget:
// if it is undone, the hold is for those that follow. Whatever happens meanwhile, the hold stands until it is known to be
// too late: a further attempt heeds it.
Outcome wait_for_outcome(Deployment& d, Deadline deadline) {
  bool was_in_window = false;
  auto gone = Deadline::after(kReconnecting);
  for (;;) {
    d.journal().load(deadline);
    const auto now = d.standing();
    const bool has_heeded_it = now.open && !now.open->is_undone;  // it looked after its record, and went back from there
    if (!is_in_window(now)) return was_in_window && !has_heeded_it ? Outcome::undone : Outcome::held;
    was_in_window = true;
    if (is_at_work(d, deadline)) gone = Deadline::after(kReconnecting);
    if (gone.has_passed()) return Outcome::interrupted;
    if (deadline.remaining() <= kHoldLook)
      throw DeadlinePassed("held, but the " + now.open->command + " that had begun to hold clients before has not ended yet, and may still cross",
                           "See what it comes to: verdigris status");
    std::this_thread::sleep_for(kHoldLook);
  }
}

// A crossing that was completed meanwhile is seen by who serves, and finish by the phase.
void require_in_time(Deployment& d, const Standing& before, const std::vector<Server*>& placed_on, Deadline deadline) {
  const auto now = d.standing();
  if (!is_too_late(now) && now.serves == before.serves && (now.phase == Phase::ready || now.phase == Phase::switched)) return;
  for (Server* server : placed_on) lift_hold(*server, deadline);
  throw too_late(d, before.open ? before.open->command : now.open ? now.open->command : "crossing", deadline);
}

void tell(Outcome outcome, Deployment& d, Output& output) {
  if (outcome == Outcome::undone) output.note("an attempt that had begun to hold clients was undone");
  if (outcome == Outcome::interrupted)
    output.warning("a " + d.standing().open->command + " was interrupted while it held clients, who may wait", "Run verdigris recover, which undoes it.");
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
  require_something_to_hold(d, deadline);
  crash_point("before:hold");
  std::vector<Server*> placed_on;
  for (Server* server : connected(d))
    if (place_hold(*server, deadline)) placed_on.push_back(server);
  const auto outcome = wait_for_outcome(d, deadline);
  require_in_time(d, standing, placed_on, deadline);
  if (!errors.empty()) require_leader(d, standing, errors.front());
  for (const auto& error : errors) output.warning(error, "Held by the other side all the same; run verdigris hold again when it answers.");
  tell(outcome, d, output);
  const auto hold = any_hold(d.blue(), d.green(), deadline);
  const std::string by = hold ? describe(*hold) : "nobody";
  output.document({{"result", placed_on.empty() ? "nothing_to_do" : "done"}, {"held", hold.has_value()},
                   {"by", hold ? hold->by : ""}, {"at", hold ? hold->at : ""}});
  output.result((placed_on.empty() ? "Held already by " : "Held by ") + by +
                ". No switch or rollback begins to hold clients until: verdigris release");
  return kDone;
}

}  // namespace verdigris
