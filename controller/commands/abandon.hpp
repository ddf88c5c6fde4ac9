// The command "verdigris abandon".
#pragma once

#include "controller/invocation.hpp"
#include "controller/output.hpp"

namespace verdigris {

int run_abandon(const Invocation& invocation, Output& output);

}  // namespace verdigris
