// The command "verdigris verify".
#pragma once

#include "controller/invocation.hpp"
#include "controller/output.hpp"

namespace verdigris {

int run_verify(const Invocation& invocation, Output& output);

}  // namespace verdigris
