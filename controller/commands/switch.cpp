#include "controller/commands/switch.hpp"

#include "controller/commands/move_reads.hpp"
#include "controller/crossing.hpp"

namespace verdigris {

int run_switch(const Invocation& invocation, Output& output) {
  if (invocation.traffic == "reads") return run_move_of_reads(invocation, "green", output);
  return run_crossing(invocation, output);
}

}  // namespace verdigris
