// Closing a side that must not take writes although nobody can say what was decided: fencing is always allowed, opening
// is not. For `recover`, which holds the leases of both sides by then.
#pragma once

#include "controller/deployment.hpp"
#include "controller/output.hpp"

namespace verdigris {

// A dry run only says so.
void fence_if_open(Deployment& d, Server& server, bool is_dry_run, Output& output);

// The journals of both sides contradict each other. A side stays open only if each of them, read alone, says that it
// serves; every other one that is found open is closed. Prints what stands where they part.
void fence_contradicting_sides(Deployment& d, bool is_dry_run, Output& output);

}  // namespace verdigris
