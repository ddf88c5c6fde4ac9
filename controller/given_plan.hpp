// What --plan names: a digest, or a file that `plan -o` wrote. A command that is given one does exactly that or nothing:
// it stands for the confirmation, so it must be of this command, of these servers, and of now. Of a text file only the
// digest line counts; the rest is there to say what differs.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "controller/invocation.hpp"
#include "controller/output.hpp"
#include "controller/plan_preview.hpp"

namespace verdigris {

struct GivenPlan {
  std::string digest;              // at least its first 12 hex digits
  std::vector<std::string> lines;  // of the file, without how things stood; empty for a digest
};

// Throws Error (usage): "plan.digest" for one that is too short or too long, "plan.unreadable" for a file that cannot be
// read, holds no plan, or was changed since it was written.
GivenPlan read_given_plan(const std::string& file_or_digest);

// Throws Error (busy) "plan.stale" that says what differs, as far as the given one tells.
void require_same_plan(const GivenPlan& given, const PlanPage& now);

// Asks the servers what `command` would do now. Nothing if no plan was given.
void require_given_plan(const std::optional<GivenPlan>& given, Deployment& d, const std::string& command,
                        PlannedOptions options, Deadline deadline);
std::optional<GivenPlan> given_plan_of(const Invocation& invocation);

}  // namespace verdigris
