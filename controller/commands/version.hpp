// The command "verdigris version".
#pragma once

#include "controller/invocation.hpp"
#include "controller/output.hpp"

namespace verdigris {

int run_version(const Invocation& invocation, Output& output);

}  // namespace verdigris
