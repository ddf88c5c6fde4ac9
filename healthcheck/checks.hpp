// All checks in the order in which they are asked and printed, and asking them with waivers applied.
#pragma once

#include <vector>

#include "healthcheck/check.hpp"

namespace verdigris {

const std::vector<Check>& all_checks();

// A waived failure becomes a warning with the reason; a waiver whose rule does not fire is a failure of its own. Throws
// what the servers throw.
Findings ask_all(const CheckContext& context);

}  // namespace verdigris
