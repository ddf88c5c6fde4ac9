#include "controller/bypass.hpp"

#include <algorithm>
#include <thread>

#include "replication/test_switches.hpp"

namespace verdigris {
namespace {

bool has_pid(const std::vector<ForeignSession>& sessions, int pid) {
  return std::ranges::any_of(sessions, [&](const ForeignSession& one) { return one.pid == pid; });
}

std::string names_text(const std::vector<std::string>& names) {
  std::string text;
  for (const auto& name : names) text += (text.empty() ? "" : ", ") + name;
  return text;
}

}  // namespace

void require_all_shut_out(const Server& server, const std::vector<std::string>& let_in,
                          const std::vector<std::string>& keep) {
  if (let_in.empty()) return;
  throw Refused("fence.connect",
                server.color() + ": closed for connections it would still let in: " + names_text(let_in),
                "Take it out of the roles that must connect (" + names_text(keep) +
                    "), whose CONNECT it has by membership, and look who grants it meanwhile.");
}

// The pooler is asked between two looks at the server: what stands in both and not in its list is nobody's backend.
std::vector<ForeignSession> bypassing_sessions(Server& server, const Bypass& bypass, Deadline deadline) {
  const auto before = foreign_sessions(server.control(), server.deployment(), deadline);
  if (before.empty()) return {};
  const auto pooled = bypass.pooler_backends ? bypass.pooler_backends(deadline) : std::vector<int>{};
  auto sessions = foreign_sessions(server.control(), server.deployment(), deadline);
  std::erase_if(sessions, [&](const ForeignSession& one) {
    return !has_pid(before, one.pid) || std::ranges::find(pooled, one.pid) != pooled.end();
  });
  return sessions;
}

std::string describe_bypass(const Server& server, const std::vector<ForeignSession>& sessions) {
  return server.color() + ": " + std::to_string(sessions.size()) +
         " session(s) beside the pooler could still write: " + sessions.front().describe();
}

void wait_for_no_bypass(Server& server, const Bypass& bypass, Deadline until, Deadline deadline) {
  if (bypass.policy != BypassPolicy::wait) return;
  for (;;) {
    const auto sessions = bypassing_sessions(server, bypass, deadline);
    if (sessions.empty()) return;
    if (until.has_passed())
      throw DeadlinePassed(describe_bypass(server, sessions),
                           "End that client, let it connect through the pooler, or write fence.bypass: terminate.");
    std::this_thread::sleep_for(std::chrono::milliseconds(20));
  }
}

// Ending a session is asked for, not done: it is gone when it is no longer seen. A new one can only be a superuser's.
// A question has the whole budget: one that patience cut off would name nobody, and cost the session that has the lease.
void wait_for_no_foreign_session(Server& server, const ForeignPolicy& policy, Deadline until, Deadline deadline) {
  std::vector<int> ended;
  for (;;) {
    auto sessions = foreign_sessions(server.control(), server.deployment(), deadline);
    std::erase_if(sessions, [&](const ForeignSession& one) {
      return one.state == "idle" && std::ranges::find(policy.closed_backends, one.pid) != policy.closed_backends.end();
    });
    if (sessions.empty()) return;
    if (bounded("endless_bypass", until).has_passed())
      throw Error("fence.bypass", describe_bypass(server, sessions), "End that client, or let it connect through the pooler.");
    if (policy.bypass == BypassPolicy::terminate) {
      std::erase_if(sessions, [&](const ForeignSession& one) { return std::ranges::find(ended, one.pid) != ended.end(); });
      terminate_sessions(server.control(), sessions, deadline);
      for (const auto& one : sessions) ended.push_back(one.pid);
    }
    std::this_thread::sleep_for(std::chrono::milliseconds(1));
  }
}

}  // namespace verdigris
