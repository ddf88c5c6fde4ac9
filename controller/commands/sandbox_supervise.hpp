// The command "verdigris sandbox supervise": what "sandbox up" leaves running. Not for people.
#pragma once

#include "controller/invocation.hpp"
#include "controller/output.hpp"

namespace verdigris {

int run_sandbox_supervise(const Invocation& invocation, Output& output);

}  // namespace verdigris
