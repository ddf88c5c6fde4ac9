#include "controller/steps/fix_reverse_start.hpp"

#include "replication/origin.hpp"
#include "replication/pending_answer.hpp"
#include "replication/slot.hpp"
#include "replication/subscription.hpp"
#include "replication/test_switches.hpp"

namespace verdigris {

std::string FixReverseStart::describe() const {
  return "fix where " + source_->color() + " will follow " + target_->color() + " from, and make it durable";
}

Readiness FixReverseStart::check(Deadline deadline) {
  send_slot_states(target_->control(), back_, deadline);
  PendingAnswer answer(target_->control());
  const auto subscriptions = subscription_briefs(source_->control(), back_, deadline);
  const auto slots = receive_slot_states(answer.take(), back_, deadline);
  for (std::size_t i = 0; i < back_.size(); ++i) {
    const auto& slot = slots[i];
    const auto& subscription = subscriptions[i];
    if (!slot.is_usable())
      return Blocked{target_->color() + ": slot " + back_[i].name + (slot.exists ? " is lost" : " does not exist") +
                         ", so there would be no way back",
                     "Start again: the first step lays it anew."};
    if (!subscription.exists || !subscription.is_ready)
      return Blocked{source_->color() + ": subscription " + back_[i].name + " is missing or not all of its tables are ready",
                     "Start again: the first step lays it anew."};
    if (subscription.is_enabled || subscription.worker_pid)
      return Blocked{source_->color() + ": subscription " + back_[i].name + " is enabled before the line",
                     "Look who enabled it, disable it, and start again."};
  }
  return Ready{};
}

PlannedActs FixReverseStart::statements(Deadline) { return {{target_->color(), durable_position_statement().text()}}; }

std::string FixReverseStart::apply(Deadline deadline) {
  if (is_mutant("line_before_drain")) return "left out";
  // Unflushed, a crash of the target would put it back below L and its next commits were never sent back.
  facts_.line = is_mutant("line_not_durable") ? wal_insert_position(target_->control(), deadline)
                                              : durable_wal_position(target_->control(), deadline);
  return "L = " + facts_.line->text() + " on " + target_->color() + ", durable";
}

}  // namespace verdigris
