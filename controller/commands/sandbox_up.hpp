// The command "verdigris sandbox up".
#pragma once

#include "controller/invocation.hpp"
#include "controller/output.hpp"

namespace verdigris {

int run_sandbox_up(const Invocation& invocation, Output& output);

}  // namespace verdigris
