// Seeded faults for tests: VERDIGRIS_MUTANT names safety acts to leave out, with commas between them, VERDIGRIS_CRASH a
// point at which the process kills itself, VERDIGRIS_STOP one at which it stops itself until SIGCONT (a test breaks
// something meanwhile), VERDIGRIS_CRASH_LOG a file that gets the name of each point passed, one a line. Compiled into test builds
// only; in the release build all are constants and cost nothing.
#pragma once

#include <string_view>

#include "replication/deadline.hpp"

namespace verdigris {

#ifdef VERDIGRIS_TEST_BUILD
bool is_mutant(std::string_view name);
void crash_point(std::string_view name);  // SIGKILL to self if VERDIGRIS_CRASH equals the name, SIGSTOP if VERDIGRIS_STOP does
#else
constexpr bool is_mutant(std::string_view) { return false; }
constexpr void crash_point(std::string_view) {}
#endif

// The end of a wait; under the mutant of that name the wait has none.
inline Deadline bounded(std::string_view mutant, Deadline deadline) {
  return is_mutant(mutant) ? Deadline::after(std::chrono::hours(24)) : deadline;
}

}  // namespace verdigris
