// The one table of exit codes. What a code promises about who serves clients stands in the README.
#pragma once

#include <string_view>

#include "replication/errors.hpp"

namespace verdigris {

enum ExitCode : int {
  kDone = 0,        // done, or already so
  kFailed = 1,      // nothing half-done that the same command or recover cannot continue
  kUsage = 2,       // command line or playbook
  kRefused = 3,     // a guardrail refused before any change
  kDiffers = 4,     // the two sides differ
  kUndone = 5,      // aborted and undone
  kNeedsHuman = 6,  // could not be proven; commands are printed
  kTimedOut = 7,    // a wait outside the window ran out
  kBusy = 8,        // another controller holds the lock, or the plan is stale
  kHasFindings = 10,
  kInterrupted = 130,  // SIGINT, outside of a window
  kTerminated = 143,   // SIGTERM, outside of a window
};

// The same answer as a word: "result" in JSON documents.
struct Outcome {
  Failure failure;
  ExitCode code;
  std::string_view word;
};

inline constexpr Outcome kOutcomes[] = {
    {Failure::failed, kFailed, "failed"},         {Failure::usage, kUsage, "usage"},
    {Failure::refused, kRefused, "refused"},      {Failure::differs, kDiffers, "differs"},
    {Failure::undone, kUndone, "undone"},         {Failure::needs_human, kNeedsHuman, "needs_human"},
    {Failure::timed_out, kTimedOut, "timed_out"}, {Failure::busy, kBusy, "busy"},
};

constexpr const Outcome& outcome_of(Failure failure) {
  for (const Outcome& outcome : kOutcomes)
    if (outcome.failure == failure) return outcome;
  return kOutcomes[0];
}

}  // namespace verdigris
