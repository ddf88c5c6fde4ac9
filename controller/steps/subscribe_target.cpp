#include "controller/steps/subscribe_target.hpp"

#include "replication/publication.hpp"
#include "replication/slot.hpp"
#include "replication/subscription.hpp"

namespace verdigris {

std::string SubscribeTarget::describe() const {
  return "let " + target_->color() + " follow " + source_->color() + " through subscription " + stream_.name;
}

Readiness SubscribeTarget::check(Deadline deadline) {
  const auto state = subscription_state(target_->control(), stream_, deadline);
  require_own_slot(source_->control(), stream_, deadline);
  if (!state.exists || !state.is_enabled) return Ready{};
  if (state.not_ready.empty() && state.tables == published_leaves(source_->control(), stream_, deadline)) return Done{};
  return Blocked{"subscription " + stream_.name + " does not hold every published table",
                 "Run abandon, then prepare again."};
}

PlannedActs SubscribeTarget::statements(Deadline deadline) {
  const std::string there = target_->color();
  PlannedActs out{{there, creating_statement(stream_, publisher_, target_->major(), source_->major(), false).text()}};
  // Of the source, since the target may have no table yet.
  if (target_->major() >= 16 && !closed_to_their_owners(source_->control(), deadline).empty())
    out.push_back({there, owning_statement(stream_).text()});
  out.insert(out.end(), {
          {there, no_lock_timeout_statement(Identifier(target_->dbname())).text() + "<, if it has a lock timeout>"},
          {there, flushing_statement(stream_, false).text()},
          {there, enabling_statement(stream_).text()}});
  return out;
}

std::string SubscribeTarget::apply(Deadline deadline) {
  require_own_slot(source_->control(), stream_, deadline);
  // Forward, rows that the source itself received from elsewhere must travel: no origin filter (pitfalls section 0, 6).
  create_subscription(*target_, stream_, publisher_, source_->major(), false, apply_as_, deadline);
  require_all_tables(target_->control(), stream_, published_leaves(source_->control(), stream_, deadline), deadline);
  keep_lock_timeout_from_apply(target_->control(), deadline);
  flush_each_commit(target_->control(), stream_, false, deadline);
  enable_subscription(target_->control(), stream_, deadline);
  return stream_.name + " enabled on " + target_->color();
}

void SubscribeTarget::undo(Deadline deadline) {
  if (target_->is_given_up()) return;
  drop_subscription(target_->control(), stream_, deadline);
}

}  // namespace verdigris
