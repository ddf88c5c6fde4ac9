#include "controller/commands/rollback.hpp"

#include "controller/commands/forced_rollback.hpp"
#include "controller/commands/move_reads.hpp"
#include "controller/crossing.hpp"
#include "replication/errors.hpp"

namespace verdigris {

// The same plan with the sides exchanged.
int run_rollback(const Invocation& invocation, Output& output) {
  if (invocation.force && invocation.plan)
    throw Error("usage", "--plan cannot be given with --force: no plan tells of a green that is lost", "Leave it out, and give --confirm.",
                Failure::usage);
  if (invocation.force && invocation.traffic != "all")
    throw Error("usage", "--force brings all back: --traffic means nothing with it", "Leave it out.", Failure::usage);
  if (invocation.force) return run_forced_rollback(invocation, output);
  if (invocation.accept_loss.bytes || invocation.accept_loss.seconds)
    throw Error("usage", "--accept-loss belongs to rollback --force: without it nothing is ever lost", "Leave it out.", Failure::usage);
  if (invocation.traffic == "reads") return run_move_of_reads(invocation, "blue", output);
  return run_crossing(invocation, output);
}

}  // namespace verdigris
