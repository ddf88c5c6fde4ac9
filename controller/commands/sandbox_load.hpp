// The command "verdigris sandbox load".
#pragma once

#include "controller/invocation.hpp"
#include "controller/output.hpp"

namespace verdigris {

int run_sandbox_load(const Invocation& invocation, Output& output);

}  // namespace verdigris
