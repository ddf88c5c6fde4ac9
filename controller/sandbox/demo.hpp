// The demonstration: a sandbox, load, and the product's own commands in it, over, back, over again; perhaps with a
// fault in the midst of the last switch. Whatever happens, also a signal, nothing runs and nothing lies about
// afterwards.
#pragma once

#include "controller/invocation.hpp"
#include "controller/output.hpp"
#include "controller/sandbox/demo_report.hpp"
#include "controller/sandbox/interruption.hpp"

namespace verdigris {

// Nothing if a signal came. Throws what keeps the sandbox from starting.
std::optional<DemoFindings> run_demo(const SandboxDemoOptions& options, Interruption& interruption, Output& output);

}  // namespace verdigris
