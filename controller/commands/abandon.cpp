#include "controller/commands/abandon.hpp"

#include <algorithm>
#include <optional>

#include "controller/config.hpp"
#include "controller/confirmation.hpp"
#include "controller/crossing.hpp"
#include "controller/exit_codes.hpp"
#include "controller/lost_side.hpp"
#include "controller/observer.hpp"
#include "controller/plans.hpp"
#include "controller/provision/commanded_green.hpp"
#include "controller/provision/physical_green.hpp"
#include "controller/provision/provisioned_green.hpp"
#include "replication/control_schema.hpp"

namespace verdigris {
namespace {

using std::chrono::milliseconds;

int report(Output& output, const std::string& result, const std::string& text, const std::string& left = {}) {
  output.document({{"result", result}, {"phase", "idle"}, {"serves", "blue"}, {"left", left.empty() ? Json(nullptr) : Json(left)}});
  output.result(text);
  if (!left.empty()) output.result("NOTE: " + left + ".");
  return kDone;
}

// Green first: blue's journal leads.
std::vector<Server*> reachable(Deployment& d) {
  std::vector<Server*> sides;
  for (auto* server : {&d.green(), &d.blue()})
    if (!server->is_given_up()) sides.push_back(server);
  return sides;
}

// A side without our schema has no token: one that was abandoned half-way, on which nothing of ours is left to undo.
void require_known_servers(Deployment& d, Deadline deadline) {
  for (auto* server : reachable(d))
    if (has_control_schema(server->control(), deadline)) d.require_known_server(*server, deadline);
}

// Nothing if verdigris does not make green, or if it cannot be looked at: what is to be taken back on blue does not wait for
// that.
std::optional<ProvisionedGreen> made_green(Deployment& d, Output& output) {
  if (!d.playbook().provision.is_made_here()) return std::nullopt;
  try {
    std::optional<ProvisionedGreen> made;
    made.emplace(d.playbook(), d.tools(), d.progress());
    made->is_dropped();
    return made;
  } catch (const Error& error) {
    output.warning("green's directory is left as it is: " + std::string(error.what()), error.hint());
    return std::nullopt;
  }
}

// Dropped by an abandon that came to its end, or nearly so: nobody answers there. If a server runs there all the same, its
// operator may have started it: it is stopped only if that is asked for.
bool is_dropped_already(Deployment& d, ProvisionedGreen& made, const Invocation& invocation, Output& output, Deadline deadline) {
  if (!made.is_dropped()) return false;
  d.blue().connect(Deadline::after(milliseconds(10'000)).or_earlier(deadline));
  if (has_control_schema(d.blue().control(), deadline)) return false;
  if (!invocation.drop_green) return true;
  require_confirmation(invocation, d.name(), output);
  d.take_leases(milliseconds(2'000), deadline);
  made.drop(Deadline::after(milliseconds(3'600'000)));
  return true;
}

// Of a green that a program makes, where only blue's notes are left to take back: begun and never learned where, or begun
// to be dropped. Nothing if there is more; else what is told to the person.
std::optional<std::string> left_by_commands(Deployment& d, const Invocation& invocation, Output& output, Deadline deadline) {
  if (!d.playbook().provision.is_command()) return std::nullopt;
  d.blue().connect(Deadline::after(milliseconds(10'000)).or_earlier(deadline));
  d.take_leases(milliseconds(2'000), deadline);
  const CommandedGreen green(d.playbook(), d.progress());
  auto& blue = d.blue().control();
  const bool is_unknown = green.is_unknown(blue, deadline), is_being_dropped = green.is_being_dropped(blue, deadline);
  if (!is_unknown && !is_being_dropped) return std::nullopt;
  require_confirmation(invocation, d.name(), output);
  std::string left;
  if (invocation.drop_green || is_being_dropped) left = green.drop(blue, deadline);
  if (left.empty()) left = "what " + d.playbook().provision.make.argv.front() + " may have made is left: it was not learned where";
  remove_control_schema(blue, Deadline::after(milliseconds(60'000)));
  return left;
}

// Its last act, before blue forgets where it is; of one that is lost, too: something of it may be left to pay for.
std::string drop_by_command(Deployment& d, const Invocation& invocation) {
  if (!d.playbook().provision.is_command() || !invocation.drop_green || !d.playbook().provision.drop) return {};
  if (!d.green().is_given_up()) d.green().control().close();
  return CommandedGreen(d.playbook(), d.progress()).drop(d.blue().control(), Deadline::after(milliseconds(60'000)));
}

// Not copied to its end, or not recovered yet: nobody but us gets in there, and nothing on it is blue's to miss.
void drop_half_made_copy(Deployment& d, std::optional<ProvisionedGreen>& made, Invocation& invocation, Output& output) {
  if (!d.playbook().provision.is_physical() || !made || (made->is_there() && !made->is_loading())) return;
  const auto deadline = Deadline::after(milliseconds(60'000));
  d.blue().connect(Deadline::after(milliseconds(10'000)));
  d.take_leases(milliseconds(2'000), deadline);
  d.journal().load(deadline);
  if (d.standing().phase != Phase::idle) return;
  require_confirmation(invocation, d.name(), output);
  invocation.confirm = d.name();
  if (made->is_loading()) made->drop(Deadline::after(milliseconds(3'600'000)));
  made->clear_away();
  invocation.without = "green";
}

bool is_made_here(Deployment& d, const std::optional<ProvisionedGreen>& made, Deadline deadline) {
  return made && !d.green().is_given_up() && made->is_same_server(d.green().control(), deadline);
}

std::string account_of(const Invocation& invocation) {
  if (!invocation.without.empty()) return "ABANDONED without green. blue is as it was found.";
  return invocation.drop_green ? "ABANDONED. blue is as it was found, green is empty."
                               : "ABANDONED. blue is as it was found; green keeps what was copied (--drop-green removes it).";
}

}  // namespace

int run_abandon(const Invocation& given, Output& output) {
  Invocation invocation = given;
  Deployment d(load_playbook(invocation.playbook), [&](const std::string& text) { output.note(text); });
  const auto deadline = Deadline::after(milliseconds(120'000));
  auto made = made_green(d, output);
  if (made && is_dropped_already(d, *made, invocation, output, deadline))
    return report(output, "nothing_to_do", "Nothing of ours is on blue, and green was dropped.");
  if (const auto left = left_by_commands(d, invocation, output, deadline))
    return report(output, "done", "ABANDONED. blue is as it was found.", *left);
  drop_half_made_copy(d, made, invocation, output);
  connect_but_for_lost(d, invocation, deadline, output);
  d.take_leases(milliseconds(2'000), deadline);
  if (std::ranges::none_of(reachable(d), [&](Server* side) { return has_control_schema(side->control(), deadline); }))
    return report(output, "nothing_to_do", "Nothing of ours is on blue or green.");
  d.journal().load(deadline);
  require_allowed(d.standing(), "abandon");
  require_known_servers(d, deadline);
  require_confirmation(invocation, d.name(), output);
  handle_interrupts();
  // One that got lost half-way may be missing on one side only; undoing needs it on both.
  for (auto* server : reachable(d)) install_control_schema(server->control(), d.name(), server->color(), deadline);
  d.journal().open_plan(d.plan_entry("abandon", "blue", deadline), "blue", deadline);
  ConsoleObserver observer(output);
  const Plan plan = abandon_plan(d, invocation.drop_green);
  make_runner(d, plan, invocation, observer).take_back();
  // Whatever the playbook says by now: it keeps blue's log without a limit.
  if (!d.blue().is_given_up()) PhysicalGreen::drop_base_slot(d.blue(), Deadline::after(milliseconds(60'000)));
  const bool is_ours = is_made_here(d, made, deadline);
  if (is_ours && invocation.drop_green) made->intend_drop();
  std::string left;
  for (auto* server : reachable(d)) {
    if (server->color() == "blue") left = drop_by_command(d, invocation);
    remove_control_schema(server->control(), Deadline::after(milliseconds(60'000)));
  }
  if (is_ours && invocation.drop_green) d.green().control().close();
  if (is_ours) left = invocation.drop_green ? made->drop(Deadline::after(milliseconds(3'600'000))) : made->leave();
  return report(output, "done", account_of(invocation), left.empty() ? left_on_lost_side(d) : left);
}

}  // namespace verdigris
