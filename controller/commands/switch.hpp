// The command "verdigris switch".
#pragma once

#include "controller/invocation.hpp"
#include "controller/output.hpp"

namespace verdigris {

int run_switch(const Invocation& invocation, Output& output);

}  // namespace verdigris
