// The command "verdigris hold".
#pragma once

#include "controller/invocation.hpp"
#include "controller/output.hpp"

namespace verdigris {

int run_hold(const Invocation& invocation, Output& output);

}  // namespace verdigris
