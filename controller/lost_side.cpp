#include "controller/lost_side.hpp"

#include "replication/fence.hpp"
#include "replication/side.hpp"
#include "replication/stream.hpp"

namespace verdigris {
namespace {

using std::chrono::milliseconds;

constexpr milliseconds kLostSideLogin{10'000};

void connect_one(Deployment& d, Server& server, const Invocation& invocation, Deadline deadline) {
  if (server.color() == "green") d.find_green(deadline);
  server.connect(Deadline::after(kLostSideLogin).or_earlier(deadline), invocation.dry_run);
}

// The side that this command can go without: what serves, or would, is never left out.
std::string dispensable(const std::string& command) {
  if (command == "abandon") return "green";
  return command == "finish" ? "blue" : "";
}

void connect_both(Deployment& d, const Invocation& invocation, Deadline deadline) {
  const auto& command = invocation.command;
  for (Server* server : {&d.blue(), &d.green()}) {
    try {
      connect_one(d, *server, invocation, deadline);
    } catch (const CannotConnect& error) {
      if (server->color() != dispensable(command)) throw;
      throw Error(error.id(), error.what(),
                  "Bring it back and run the same command; if it is lost for good: verdigris " + command + " --without " +
                      server->color());
    }
  }
}

void require_lost(Deployment& d, Server& lost, Deadline deadline, Output& output) {
  const std::string who = lost.color() + " (" + lost.endpoint() + ")";
  if (d.is_known(lost, deadline))
    throw Refused("without.answers", who + " answers and is the server it was, so it is not lost",
                  "Run the command without --without, or take that server off the net first.");
  const auto state = fence_state(lost.control(), deadline);
  if (state == FenceState::open || state == FenceState::unknown)
    throw Refused("without.open", who + " is another server than the one that was lost, and takes writes",
                  "Run verdigris recover, which closes it; then repeat the command.");
  output.warning(who + " is another server than the one that was lost: it is left alone");
}

}  // namespace

void connect_but_for_lost(Deployment& d, const Invocation& invocation, Deadline deadline, Output& output) {
  if (invocation.without.empty()) return connect_both(d, invocation, deadline);
  Server& lost = d.side(invocation.without);
  connect_one(d, d.side(other_side(invocation.without)), invocation, deadline);
  d.journal().load(deadline);
  try {
    connect_one(d, lost, invocation, deadline);
    require_lost(d, lost, deadline, output);
  } catch (const CannotConnect& error) {
    if (!error.sqlstate().empty())
      throw Refused("without.answers", std::string(error.what()) + ": a server answers there, so it is not lost",
                    "Correct its login, or take that server off the net first.");
  }
  lost.give_up();
}

std::string left_on_lost_side(Deployment& d) {
  const int groups = d.groups_seen();
  for (Server* server : {&d.blue(), &d.green()}) {
    if (!server->is_given_up()) continue;
    const auto in = Streams(Stream::leaving(other_side(server->color()), d.name()), groups).names();
    const auto out = Streams(Stream::leaving(server->color(), d.name()), groups).names();
    return "left on " + server->color() + ", should it return: subscription " + in + ", publication and slot " + out +
           ", the fence and the schema verdigris";
  }
  return "";
}

}  // namespace verdigris
