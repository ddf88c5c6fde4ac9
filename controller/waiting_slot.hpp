// The slot of the way back, which nobody reads yet, is brought close to the end of the target's log: left idle it must be
// decoded from far behind, seconds until the first row comes back.
#pragma once

#include "controller/deployment.hpp"
#include "controller/planned_act.hpp"

namespace verdigris {

// By the holder of the target's lease, with no plan open but ours before its window. Nothing if there is no such slot or
// the target is not closed.
void bring_waiting_slot_close(Deployment& d, const std::string& source, Deadline deadline);
PlannedActs waiting_slot_statements(Deployment& d, const std::string& source, Deadline deadline);

}  // namespace verdigris
