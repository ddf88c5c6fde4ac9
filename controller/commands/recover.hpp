// The command "verdigris recover".
#pragma once

#include "controller/invocation.hpp"
#include "controller/output.hpp"

namespace verdigris {

int run_recover(const Invocation& invocation, Output& output);

}  // namespace verdigris
