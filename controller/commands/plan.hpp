// The command "verdigris plan".
#pragma once

#include "controller/invocation.hpp"
#include "controller/output.hpp"

namespace verdigris {

int run_plan(const Invocation& invocation, Output& output);

}  // namespace verdigris
