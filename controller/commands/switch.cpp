#include "controller/commands/switch.hpp"

#include "controller/crossing.hpp"

namespace verdigris {

int run_switch(const Invocation& invocation, Output& output) { return run_crossing(invocation, output); }

}  // namespace verdigris
