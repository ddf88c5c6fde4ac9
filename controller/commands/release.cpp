#include "controller/commands/release.hpp"

#include "controller/config.hpp"
#include "controller/deployment.hpp"
#include "controller/exit_codes.hpp"
#include "controller/hold.hpp"
#include "replication/control_schema.hpp"

namespace verdigris {

int run_release(const Invocation& invocation, Output& output) {
  Deployment d(load_playbook(invocation.playbook), [](const std::string&) {});
  const auto deadline = Deadline::after(invocation.timeout.value_or(std::chrono::milliseconds(30'000)));
  const auto errors = d.connect_what_answers(deadline);
  bool was_held = false;
  for (Server* server : {&d.blue(), &d.green()}) {
    if (!server->is_connected() || !has_control_schema(server->control(), deadline)) continue;
    was_held |= lift_hold(*server, deadline);
  }
  if (!errors.empty())
    throw Error("release.incomplete", "not released everywhere: " + errors.front() + (errors.size() > 1 ? "; " + errors[1] : ""),
                "A hold may still stand there: run the same command again when it answers.");
  output.document({{"result", was_held ? "done" : "nothing_to_do"}, {"held", false}});
  output.result(was_held ? "Released: what waits goes on within a second." : "Nothing is held.");
  return kDone;
}

}  // namespace verdigris
