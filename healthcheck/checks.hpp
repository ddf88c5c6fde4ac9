// All checks in the order in which they are asked and printed, and asking them with waivers applied.
#pragma once

#include <vector>

#include "healthcheck/check.hpp"

namespace verdigris {

const std::vector<Check>& all_checks();

// Those that must still hold in the window: a few milliseconds in all, waivers applied. In the context the side that
// serves is named blue and the other green, whatever colour they have.
Findings ask_before_window(const CheckContext& context);

// A waived failure becomes a warning with the reason; a waiver whose rule does not fire is a failure of its own. Throws
// what the servers throw.
Findings ask_all(const CheckContext& context);

}  // namespace verdigris
