// Closing a side that must not take writes although nobody can say what was decided: fencing is always allowed, opening
// is not. For `recover`, which holds the leases of both sides by then.
#pragma once

#include "controller/deployment.hpp"
#include "controller/output.hpp"

namespace verdigris {

// Whether clients could write there. A dry run only says so; a server without our fence is left to a person, who is told.
bool fence_if_open(Deployment& d, Server& server, bool is_dry_run, Output& output);

// The second lock: connections of everybody but ours. Whether it was open; without it no later crossing would lead there.
bool shut_out_if_open(Deployment& d, Server& server, bool is_dry_run, Output& output);

// The journals of both sides contradict each other. A side stays open only if each of them, read alone, says that it
// serves; every other one that is found open is closed. Prints what stands where they part.
void fence_contradicting_sides(Deployment& d, bool is_dry_run, Output& output);

}  // namespace verdigris
