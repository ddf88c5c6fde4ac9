// The command "verdigris sandbox demo".
#pragma once

#include "controller/invocation.hpp"
#include "controller/output.hpp"

namespace verdigris {

int run_sandbox_demo(const Invocation& invocation, Output& output);

}  // namespace verdigris
