// Whether a server has more to do than its operator wants it to have beside a copy. One thread on the session it
// gives.
#pragma once

#include <chrono>
#include <optional>
#include <string>

#include "replication/connection.hpp"
#include "replication/load_limits.hpp"
#include "replication/server.hpp"

namespace verdigris {

// Which limit is passed, but that of a commit, for people: "blue has 52 active sessions, 40 are allowed"; empty if none is.
std::string passed_limit(Connection& on, const LoadLimits& limits, Deadline deadline);

// How long a commit takes: that of a message in the WAL that nobody reads, in a session of its own, since it may wait for a
// standby that is gone. One thread.
class CommitProbe {
 public:
  // Waits no longer than `patience`; one that is still under way then is asked for by the next call. Returns how long it
  // has taken so far. Throws CannotConnect, ConnectionLost, ServerError; the next call begins anew.
  std::chrono::milliseconds measure(const Server& on, std::chrono::milliseconds patience, Deadline deadline);

 private:
  std::optional<Connection> session_;
  std::optional<std::chrono::steady_clock::time_point> began_;
};

// What it sends.
Sql empty_commit_statement();

}  // namespace verdigris
