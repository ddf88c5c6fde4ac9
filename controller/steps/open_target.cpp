#include "controller/steps/open_target.hpp"

#include "replication/access.hpp"
#include "replication/fence.hpp"
#include "replication/test_switches.hpp"

namespace verdigris {
namespace {

// Not flushed: the first commit of a client does that for it, and before one nothing is lost if the server crashes.
// It comes up closed then, and is opened again because `committed` stands on the source.
Sql opening_statement(const std::string& deployment) {
  return Sql("SET LOCAL synchronous_commit = off; {}; {}; SELECT verdigris.open_access({})", fence_statement(FenceState::open),
             marker_fence_statement(FenceState::open), Literal(deployment));
}

}  // namespace

std::string OpenTarget::describe() const { return "open " + target_->color() + " for connections and writes"; }

Readiness OpenTarget::check(Deadline deadline) {
  auto& on = target_->control();
  const auto state = fences(on, deadline);
  const bool is_open = state.tables == FenceState::open && state.marker == FenceState::open &&
                       !is_access_closed(on, target_->deployment(), deadline);
  if (is_open) return Done{};
  return Ready{};
}

void OpenTarget::require_same_past_line(Deadline deadline) {
  Lsn position;
  const auto now = server_identity(target_->control(), target_->deployment(), deadline, &position);
  if (!now.is_same_server(facts_.target_identity) && !is_mutant("identity_once"))
    throw NeedsHuman("target.changed", target_->color() + ": not the server that was proven (timeline " + now.timeline +
                                           ", was " + facts_.target_identity.timeline + ")",
                     "Both sides stay closed; find out which server holds the data before one is opened.");
  if (!facts_.line || position < *facts_.line)
    throw NeedsHuman("target.behind-line", target_->color() + ": its log ends at " + position.text() +
                                               ", before L = " + (facts_.line ? facts_.line->text() : "unknown"),
                     "It lost what was proven; both sides stay closed. Compare both sides before one is opened.");
}

PlannedActs OpenTarget::statements(Deadline) {
  return {{target_->color(), opening_statement(target_->deployment()).text()}};
}

std::string OpenTarget::apply(Deadline deadline) {
  require_same_past_line(deadline);
  target_->control().commit_alone(opening_statement(target_->deployment()), deadline);
  return target_->color() + ": same server, past L; fence open, grants and limit restored";
}

}  // namespace verdigris
