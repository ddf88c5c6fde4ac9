#include "controller/commands/sandbox_supervise.hpp"

#include "controller/exit_codes.hpp"
#include "controller/sandbox/supervisor.hpp"

namespace verdigris {

int run_sandbox_supervise(const Invocation& invocation, Output& output) {
  supervise(invocation.sandbox_up, output);
  return kDone;
}

}  // namespace verdigris
