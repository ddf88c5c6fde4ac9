// The command "verdigris finish".
#pragma once

#include "controller/invocation.hpp"
#include "controller/output.hpp"

namespace verdigris {

int run_finish(const Invocation& invocation, Output& output);

}  // namespace verdigris
