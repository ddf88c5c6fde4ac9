// Sessions of a serving side that do not come through a pooler and could still write: who they are, and by policy that
// they are refused or waited for before clients are held. In the window the fence asks again. One thread.
#pragma once

#include <functional>
#include <vector>

#include "controller/playbook.hpp"
#include "replication/access.hpp"
#include "replication/server.hpp"

namespace verdigris {

struct Bypass {
  BypassPolicy policy = BypassPolicy::wait;
  std::function<std::vector<int>(Deadline)> pooler_backends;  // pids on the server; empty: there is no pooler
};

// Oldest first. A backend that a pooler opens or closes meanwhile is not among them.
std::vector<ForeignSession> bypassing_sessions(Server& server, const Bypass& bypass, Deadline deadline);

// "blue: 2 session(s) beside the pooler could still write: pid 812 (...)"
std::string describe_bypass(const Server& server, const std::vector<ForeignSession>& sessions);

// With the policy `wait`, until there is none; throws DeadlinePassed that names the oldest.
void wait_for_no_bypass(Server& server, const Bypass& bypass, Deadline until, Deadline deadline);

// In the window: what to do about foreign sessions, and which of them are none: an idle one whose pooler has closed its
// connection reads nothing any more and is about to end.
struct ForeignPolicy {
  BypassPolicy bypass = BypassPolicy::wait;
  std::vector<int> closed_backends = {};
};

// Polls, at most `until`, until no foreign session is left in the database, ending them if the policy says so; throws
// Error "fence.bypass" that names the oldest one.
void wait_for_no_foreign_session(Server& server, const ForeignPolicy& policy, Deadline until, Deadline deadline);

// Throws Refused "fence.connect" if somebody is let in (roles_let_in) although connections are closed for all but `keep`.
void require_all_shut_out(const Server& server, const std::vector<std::string>& let_in,
                          const std::vector<std::string>& keep);

}  // namespace verdigris
