// All checks in the order in which they are asked and printed, and asking them with waivers applied.
#pragma once

#include <vector>

#include "healthcheck/check.hpp"

namespace verdigris {

const std::vector<Check>& all_checks();

// Whether all that the source holds has come, or can come, to the target: asked at the head of each crossing, because a
// difference here may also be what keeps the stream from going on. Waivers applied.
Findings ask_what_is_carried(const CheckContext& context);
// Those that must still hold in the window: a few milliseconds in all, waivers applied.
Findings ask_before_window(const CheckContext& context);

// A waived failure becomes a warning with the reason; a waiver whose rule does not fire is a failure of its own. Throws
// what the servers throw.
Findings ask_all(const CheckContext& context);

}  // namespace verdigris
