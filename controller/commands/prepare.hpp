// The command "verdigris prepare".
#pragma once

#include "controller/invocation.hpp"
#include "controller/output.hpp"

namespace verdigris {

int run_prepare(const Invocation& invocation, Output& output);

}  // namespace verdigris
