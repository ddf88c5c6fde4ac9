// One controller at a time: a session advisory lock of the deployment, on both sides, held by each side's control session.
// When that session dies the lease is free, and whatever it would have done next cannot run any more.
#pragma once

#include <chrono>
#include <optional>
#include <string>
#include <vector>

#include "replication/connection.hpp"

namespace verdigris {

struct LeaseHolder {
  int pid;
  std::string application, address;
  double seconds;  // age of its session
  std::string describe() const;
};

// Waits at most `patience`: a controller that was killed a moment ago still has its session for some milliseconds. Throws
// Error (busy) "lease.held" naming the holder. Idempotent: a session that has the lease keeps it.
// former: backend pids of sessions that this very process has given up. One that hangs in a COMMIT does not notice that
// its client is gone and keeps the lease: it is ended, which cannot undo what it has committed. As long as such a one
// holds the lease the error is "lease.own-session" (timed_out), worth another try, not "another controller".
void acquire_lease(Connection& control, const std::string& deployment, std::chrono::milliseconds patience,
                   Deadline deadline, const std::vector<int>& former = {});
// Ends the session of another controller that holds the lease, and says whose it was; nothing if nobody else has it. What
// that one would do next cannot run any more: it finds out when it moves again.
std::optional<LeaseHolder> end_lease_holder(Connection& control, const std::string& deployment, Deadline deadline);
bool holds_lease(Connection& control, const std::string& deployment, Deadline deadline);
std::optional<LeaseHolder> lease_holder(Connection& on, const std::string& deployment, Deadline deadline);

}  // namespace verdigris
