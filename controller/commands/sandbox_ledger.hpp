// The command "verdigris sandbox ledger".
#pragma once

#include "controller/invocation.hpp"
#include "controller/output.hpp"

namespace verdigris {

int run_sandbox_ledger(const Invocation& invocation, Output& output);

}  // namespace verdigris
