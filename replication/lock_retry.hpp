// DDL on a server that people use: under a short lock_timeout, so that nobody queues behind us for long, and again
// until it succeeds or the deadline passes (copy.md section 2, invariant 4).
#pragma once

#include <chrono>
#include <functional>

#include "replication/connection.hpp"

namespace verdigris {

constexpr std::chrono::milliseconds kLockTimeout{3000};

// Runs the work in a transaction of its own and commits it. On a lock not obtained, or a deadlock, everything is rolled
// back and tried again after a pause. Throws Error("lock-timeout") naming `what` when the deadline passes first; other
// errors as they come.
void with_lock_retries(Connection& on, const std::string& what, std::chrono::milliseconds lock_timeout,
                       Deadline deadline, const std::function<void(Transaction&)>& work);

// "55P03" (lock not obtained), "40P01" (deadlock).
bool is_lock_failure(const ServerError& error);

}  // namespace verdigris
