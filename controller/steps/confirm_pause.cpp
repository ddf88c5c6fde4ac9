#include "controller/steps/confirm_pause.hpp"

#include "replication/errors.hpp"

namespace verdigris {

std::string ConfirmPause::describe() const {
  const auto abilities = traffic_.abilities();
  if (!abilities.can_hold_clients) return "nothing to see: nobody is held";
  if (!abilities.pause_observable) return "nothing to see: " + traffic_.describe() + " does not show whether clients are held";
  return "see that clients are still held at " + traffic_.describe();
}

std::string ConfirmPause::apply(Deadline deadline) {
  traffic_.require_unedited();
  const auto abilities = traffic_.abilities();
  if (!abilities.can_hold_clients || !abilities.pause_observable) return describe();
  for (const auto& state : traffic_.holds(deadline))
    if (!state.is_paused)
      throw Error("pooler.pause-lost",
                  state.instance + (state.alias.empty() ? ": traffic" : ": database \"" + state.alias + "\"") +
                      " is not paused any more; it was restarted, or resumed by another",
                  "See why the pooler ended, then switch again.");
  return traffic_.describe() + " still held";
}

}  // namespace verdigris
