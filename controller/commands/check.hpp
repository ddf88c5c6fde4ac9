// The command "verdigris check".
#pragma once

#include "controller/invocation.hpp"
#include "controller/output.hpp"

namespace verdigris {

int run_check(const Invocation& invocation, Output& output);

}  // namespace verdigris
