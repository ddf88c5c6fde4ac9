// verify --repair: shows which rows of the following side would be made what the other side has, asks, does it, and compares
// just these rows again. All that differ or nothing: what cannot be repaired refuses the whole.
#pragma once

#include <nlohmann/json.hpp>

#include "controller/invocation.hpp"
#include "controller/output.hpp"
#include "healthcheck/parity/parity.hpp"

namespace verdigris {

struct RepairResult {
  enum class Kind { nothing, planned, refused, repaired, incomplete };
  Kind kind = Kind::nothing;
  nlohmann::ordered_json document;  // member "repair" of verify's document
};

// report: of these sessions, full. Without a dry run it throws as require_confirmation() and Repairer::repair() do.
RepairResult repair_rows(const Invocation& invocation, Server& source, Server& target, const Streams& streams,
                         ParitySessions& sessions, const ParityReport& report, Output& output, Deadline deadline);

}  // namespace verdigris
