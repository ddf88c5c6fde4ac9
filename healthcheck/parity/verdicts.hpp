// From sums to a report. Shared by both ways of comparing.
#pragma once

#include <vector>

#include "healthcheck/parity/parity.hpp"
#include "healthcheck/parity/scan.hpp"

namespace verdigris {

// sums: of all tables of the agreement, in its order.
ParityReport make_report(const Agreement& agreement, const std::vector<SumPair>& sums, Lsn position);

}  // namespace verdigris
