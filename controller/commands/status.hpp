// The command "verdigris status".
#pragma once

#include "controller/invocation.hpp"
#include "controller/output.hpp"

namespace verdigris {

int run_status(const Invocation& invocation, Output& output);

}  // namespace verdigris
