#include "controller/steps/subscribe_target.hpp"

#include <algorithm>
#include <ranges>

#include "replication/publication.hpp"
#include "replication/slot.hpp"
#include "replication/stream_groups.hpp"
#include "replication/subscription.hpp"

namespace verdigris {

std::string SubscribeTarget::describe() const {
  return "let " + target_->color() + " follow " + source_->color() + " through subscription" + (streams_.is_grouped() ? "s " : " ") +
         streams_.names();
}

Readiness SubscribeTarget::check(Deadline deadline) {
  bool are_enabled = true;
  for (const auto& stream : streams_) {
    const auto state = subscription_state(target_->control(), stream, deadline);
    require_own_slot(source_->control(), stream, deadline);
    are_enabled = are_enabled && state.exists && state.is_enabled;
    if (!state.exists || !state.is_enabled) continue;
    if (!state.not_ready.empty() || state.tables != published_leaves(source_->control(), stream, deadline))
      return Blocked{"subscription " + stream.name + " does not hold every published table",
                     "Run abandon, then prepare again."};
  }
  if (are_enabled) return Done{};
  return Ready{};
}

PlannedActs SubscribeTarget::statements(Deadline deadline) {
  const std::string there = target_->color();
  PlannedActs out;
  for (const auto& statement : marker_group_statements(streams_.groups())) out.push_back({there, statement.text()});
  // Of the source, since the target may have no table yet.
  const bool is_owned = target_->major() >= 16 && !closed_to_their_owners(source_->control(), deadline).empty();
  for (const auto& stream : streams_) {
    out.push_back({there, creating_statement(stream, publisher_, target_->major(), source_->major(), false).text()});
    if (is_owned) out.push_back({there, owning_statement(stream).text()});
  }
  out.push_back({there, no_lock_timeout_statement(Identifier(target_->dbname())).text() + "<, if it has a lock timeout>"});
  for (const auto& stream : streams_) out.push_back({there, flushing_statement(stream, false).text()});
  for (const auto& stream : streams_ | std::views::reverse) out.push_back({there, enabling_statement(stream).text()});
  return out;
}

std::string SubscribeTarget::apply(Deadline deadline) {
  Connection& target = target_->control();
  install_marker_groups(target, streams_.groups(), deadline);
  for (const auto& stream : streams_) {
    require_own_slot(source_->control(), stream, deadline);
    // Forward, rows that the source itself received from elsewhere must travel: no origin filter (pitfalls section 0, 6).
    create_subscription(*target_, stream, publisher_, source_->major(), false, apply_as_, deadline);
    require_all_tables(target, stream, published_leaves(source_->control(), stream, deadline), deadline);
  }
  keep_lock_timeout_from_apply(target, deadline);
  for (const auto& stream : streams_) flush_each_commit(target, stream, false, deadline);
  // The first last: as long as its slot is unread, the guard of the copy looks after all of them.
  for (const auto& stream : streams_ | std::views::reverse) enable_subscription(target, stream, deadline);
  return streams_.names() + " enabled on " + target_->color();
}

// The marker tables go with the last stream; those of a side that was given up stay.
void SubscribeTarget::undo(Deadline deadline) {
  if (target_->is_given_up()) return;
  drop_subscriptions(target_->control(), streams_, deadline);
  if (streams_.is_grouped()) remove_marker_groups(target_->control(), deadline);
}

}  // namespace verdigris
