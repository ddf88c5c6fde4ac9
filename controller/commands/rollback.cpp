#include "controller/commands/rollback.hpp"

#include "controller/crossing.hpp"

namespace verdigris {

// The same plan with the sides exchanged.
int run_rollback(const Invocation& invocation, Output& output) { return run_crossing(invocation, output); }

}  // namespace verdigris
