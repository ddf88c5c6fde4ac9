// rollback --force: green is lost or wrong, and blue opens without it by a person's word.
#pragma once

#include "controller/deployment.hpp"
#include "controller/invocation.hpp"
#include "controller/output.hpp"

namespace verdigris {

int run_forced_rollback(const Invocation& invocation, Output& output);

// For recover, which has connected to what answers, holds the leases and has found one open: forward once it is decided,
// else undone. Returns the exit code.
int recover_forced_rollback(Deployment& d, const Invocation& invocation, Deadline deadline, Output& output);

}  // namespace verdigris
