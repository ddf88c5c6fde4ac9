// verdigris set KEY=VALUE: changes a limit of a command that runs, from another terminal or machine.
#pragma once

#include "controller/invocation.hpp"
#include "controller/output.hpp"

namespace verdigris {

int run_set(const Invocation& invocation, Output& output);

}  // namespace verdigris
