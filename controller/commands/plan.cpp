#include "controller/commands/plan.hpp"

#include <cerrno>
#include <cstring>
#include <fstream>

#include "controller/config.hpp"
#include "controller/deployment.hpp"
#include "controller/exit_codes.hpp"
#include "controller/plan_preview.hpp"
#include "controller/printable.hpp"

namespace verdigris {
namespace {

using std::chrono::milliseconds;

int say_no_plan(const Standing& standing, const Invocation& invocation, Output& output) {
  output.document({{"result", "nothing_to_do"}, {"command", standing.open ? Json("recover") : Json(nullptr)}, {"steps", Json::array()}});
  output.result(standing.open ? "A " + standing.open->command + " was interrupted. Next: verdigris recover (--dry-run shows what it would do)"
                              : "Finished, " + standing.serves + " serves; there is nothing more to do.");
  return invocation.detailed_exitcode && standing.open ? kHasFindings : kDone;
}

int say_done(const std::string& command, Output& output) {
  output.document({{"result", "nothing_to_do"}, {"command", command}, {"steps", Json::array()}});
  output.result("A " + command + " is done already; nothing to do.");
  return kDone;
}

void require_options_of(const std::string& command, const Invocation& invocation) {
  if (command == "finish" || (!invocation.open_blue && !invocation.purge)) return;
  throw Error("usage", "--open-blue and --purge belong to finish, and this is the plan of " + command,
              "Leave them out, or ask with --for finish.", Failure::usage);
}

// The page itself, or where it was written. The document is the same in both places.
void publish(const PlanPage& page, const Json& document, const Invocation& invocation, Output& output) {
  if (invocation.plan_file.empty()) {
    output.document(document);
    for (const auto& line : page.lines()) output.result(line);
    return;
  }
  std::ofstream file(invocation.plan_file, std::ios::binary | std::ios::trunc);
  if (invocation.json) {
    file << document.dump(2) << "\n";
  } else {
    for (const auto& line : page.lines()) file << printable(line) << "\n";
  }
  file.close();
  if (!file)
    throw Error("plan.file", "cannot write \"" + invocation.plan_file.string() + "\": " + std::strerror(errno),
                "Name a file that may be written; without -o the plan goes to the terminal.");
  output.document(document);
  output.result(page.lines().back() + "  written to " + invocation.plan_file.string());
}

}  // namespace

// What the next command would do, or the one that is asked for: the same steps that it would run, with what they would send.
int run_plan(const Invocation& invocation, Output& output) {
  Deployment d(load_playbook(invocation.playbook), [](const std::string&) {});
  const auto deadline = Deadline::after(invocation.timeout.value_or(milliseconds(60'000)));
  d.connect(deadline, true);
  d.journal().load(deadline);
  const auto standing = d.standing();
  const bool is_crossing =
      standing.open && (is_emergency(standing) || transition_of(standing.open->command).plan == PlanKind::cutover);
  const bool is_asked_for = !invocation.planned_command.empty();
  const bool is_over = standing.phase == Phase::finished && !standing.open && !is_asked_for;
  if (is_crossing || is_over) return say_no_plan(standing, invocation, output);
  const std::string command = is_asked_for ? invocation.planned_command : next_command(standing);
  require_options_of(command, invocation);
  if (is_asked_for && require_allowed(standing, command) == Permission::already_done && command != "finish")
    return say_done(command, output);
  const auto page = preview(d, planned_command(d, standing, command, {invocation.open_blue, invocation.purge}), deadline);
  const bool has_line = transition_of(command).plan == PlanKind::cutover;
  Json document{{"result", "planned"}, {"command", command}, {"interrupted", standing.open.has_value()}, {"basis", page.basis()}};
  for (const auto& [key, value] : page.around().items()) document[key] = value;
  if (has_line) document["clients"] = d.traffic().effect_on_clients();
  document["steps"] = page.steps();
  document["digest"] = page.digest();
  publish(page, document, invocation, output);
  return invocation.detailed_exitcode && page.is_anything_to_do() ? kHasFindings : kDone;
}

}  // namespace verdigris
