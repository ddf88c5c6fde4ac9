// "switch --traffic reads" and "rollback --traffic reads": readers alone are led to green, which follows, or back to blue.
// Whatever goes wrong on the way to green brings them back; so does recover after a crash.
#pragma once

#include <string>

#include "controller/deployment.hpp"
#include "controller/invocation.hpp"
#include "controller/output.hpp"

namespace verdigris {

// to: colour. Returns the exit code.
int run_move_of_reads(const Invocation& invocation, const std::string& to, Output& output);
// A move was interrupted, in whichever direction: readers end on blue. Opened, leased, journal loaded.
int recover_move_of_reads(Deployment& d, const Invocation& invocation, Deadline deadline, Output& output);

// A crossing of writers: readers that are on green already must really be there, and those that are not cannot be left on
// the side that is closed; without any, the target takes no connections. Throws Refused "reads.*", "pooler.*", "target.open".
void require_readers_in_place(Deployment& d, const Invocation& invocation, Deadline deadline);

}  // namespace verdigris
