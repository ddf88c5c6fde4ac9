// The command "verdigris rollback".
#pragma once

#include "controller/invocation.hpp"
#include "controller/output.hpp"

namespace verdigris {

int run_rollback(const Invocation& invocation, Output& output);

}  // namespace verdigris
