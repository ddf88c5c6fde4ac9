// A switch or rollback that was undone is tried again after a while, as often as the playbook says, if the reason may be
// gone by then. Knows nothing of servers: what an attempt is, the caller says. One thread; waits, and hears signals.
#pragma once

#include <chrono>
#include <functional>
#include <string>
#include <vector>

#include "controller/runner.hpp"

namespace verdigris {

struct AttemptLimits {
  int attempts = 1;
  std::chrono::milliseconds backoff{15'000};
};

// Undone with clients held, by something that passes: a transaction, a lock, a session beside the pooler, a slow server.
// What a guardrail or a pooler refused, what differs and what needs a person would be the same again.
bool may_end_otherwise(const RunResult& result);

struct Attempts {
  std::vector<RunResult> undone;  // all that were, in order; the last one, too
  RunResult last;
};

// attempt: begins a new plan and carries it to an end; what it throws ends all, and `all` says what had been by then. A
// signal while waiting ends with the reason "interrupted" and window_was_open false: nothing is held then.
void cross_in_attempts(const AttemptLimits& limits, const std::function<RunResult(int number)>& attempt, RunObserver& observer,
                       Attempts& all);

}  // namespace verdigris
