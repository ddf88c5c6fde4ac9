#include "controller/steps/confirm_pause.hpp"

#include "replication/errors.hpp"

namespace verdigris {

std::string ConfirmPause::describe() const {
  return "see that clients are still held at " + traffic_.describe();
}

std::string ConfirmPause::apply(Deadline deadline) {
  traffic_.require_unedited();
  for (const auto& state : traffic_.state(deadline))
    if (!state.is_paused)
      throw Error("pooler.pause-lost",
                  state.instance + ": database \"" + state.alias +
                      "\" is not paused any more; it was restarted, or resumed by another",
                  "See why PgBouncer ended, then switch again.");
  return traffic_.describe() + " still held";
}

}  // namespace verdigris
