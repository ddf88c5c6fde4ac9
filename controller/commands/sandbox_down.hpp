// The command "verdigris sandbox down".
#pragma once

#include "controller/invocation.hpp"
#include "controller/output.hpp"

namespace verdigris {

int run_sandbox_down(const Invocation& invocation, Output& output);

}  // namespace verdigris
