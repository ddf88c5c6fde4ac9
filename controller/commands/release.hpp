// The command "verdigris release".
#pragma once

#include "controller/invocation.hpp"
#include "controller/output.hpp"

namespace verdigris {

int run_release(const Invocation& invocation, Output& output);

}  // namespace verdigris
