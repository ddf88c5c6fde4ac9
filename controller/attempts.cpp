#include "controller/attempts.hpp"

#include <fmt/format.h>

#include <thread>

#include "controller/config_values.hpp"
#include "replication/deadline.hpp"

namespace verdigris {
namespace {

constexpr std::chrono::milliseconds kSignalLook{20};  // a signal is heard within this

// False if a signal came.
bool wait_out(std::chrono::milliseconds backoff) {
  const auto until = Deadline::after(backoff);
  while (!was_interrupted() && !until.has_passed()) std::this_thread::sleep_for(kSignalLook);
  return !was_interrupted();
}

RunResult interrupted_between(RunResult last) {
  last.reason = "interrupted by a signal before the next attempt; the last one: " + last.reason;
  last.reason_hint.clear();
  last.reason_id = "interrupted";
  last.window_was_open = false;
  return last;
}

}  // namespace

bool may_end_otherwise(const RunResult& result) {
  if (result.ending != Ending::undone || !result.window_was_open) return false;
  if (result.reason_id == "interrupted" || result.reason_id == "pooler.pause-lies") return false;
  return result.failure == Failure::failed || result.failure == Failure::timed_out;
}

void cross_in_attempts(const AttemptLimits& limits, const std::function<RunResult(int)>& attempt, RunObserver& observer,
                       Attempts& all) {
  for (int number = 1;; ++number) {
    all.last = attempt(number);
    if (all.last.ending == Ending::undone) all.undone.push_back(all.last);
    if (number >= limits.attempts || !may_end_otherwise(all.last)) return;
    observer.remarked(fmt::format("undo: all is as before; attempt {} of {}, next in {}: {}", number, limits.attempts,
                                  duration_text(limits.backoff), all.last.reason));
    if (wait_out(limits.backoff)) continue;
    all.last = interrupted_between(std::move(all.last));
    return;
  }
}

}  // namespace verdigris
