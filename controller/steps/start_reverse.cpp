#include "controller/steps/start_reverse.hpp"

#include <algorithm>

#include "replication/apply_watch.hpp"
#include "replication/origin.hpp"
#include "replication/slot.hpp"
#include "replication/subscription.hpp"
#include "replication/test_switches.hpp"

namespace verdigris {

std::string StartReverse::describe() const {
  return "let " + follower_->color() + " follow " + serving_->color() + " from L on";
}

// Enabled, and the newest marker sent for this purpose has come back.
Readiness StartReverse::check(Deadline deadline) {
  if (follower_->is_given_up()) return Ready{};
  const auto states = subscription_briefs(follower_->control(), back_, deadline);
  if (!std::ranges::all_of(states, &SubscriptionBrief::is_enabled)) return Ready{};
  const auto newest = serving_->control().query(
      Sql("SELECT id FROM verdigris.marker WHERE kind = 'reverse' AND side = $1 ORDER BY id DESC LIMIT 1"),
      {serving_->color()}, deadline);
  const auto row = newest.at_most_one_row(1);
  // Older ones belong to an earlier plan: ids carry the time.
  if (row && facts_.line && row->integer(0) > facts_.marker_floor &&
      marker_arrived(follower_->control(), back_, row->integer(0), deadline))
    return Done{};
  return Ready{};
}

// Past L only as far as the follower has applied: a stream that ran before, and was stopped, goes on there.
void StartReverse::require_slot_not_past(const Stream& stream, Lsn applied, Deadline deadline) {
  const auto slot = slot_state(serving_->control(), stream, deadline);
  if (!slot.is_usable())
    throw NeedsHuman("reverse.slot", serving_->color() + ": slot " + stream.name + " is " + (slot.exists ? "lost" : "gone"),
                     "Clients run on " + serving_->color() + " without a way back; see: verdigris status");
  if (slot.confirmed_flush > applied && !is_mutant("confirmed_flush_unasserted"))
    throw NeedsHuman("reverse.slot-advanced",
                     serving_->color() + ": slot " + stream.name + " was advanced to " + slot.confirmed_flush.text() +
                         ", past L = " + facts_.line->text() + ": commits in between would never reach " +
                         follower_->color(),
                     "Clients run on " + serving_->color() + " without a way back; see: verdigris status");
}

void StartReverse::enable_from_line(const Stream& stream, unsigned subscription, Deadline deadline) {
  if (is_mutant("line_after_opening")) facts_.line = wal_insert_position(serving_->control(), deadline);
  const auto progress = origin_progress(follower_->control(), subscription, deadline);
  require_slot_not_past(stream, progress ? std::max(*progress, *facts_.line) : *facts_.line, deadline);
  if (is_mutant("reverse_slot_advanced"))
    advance_slot(serving_->control(), stream, wal_insert_position(serving_->control(), deadline), deadline);
  // Moved a second time it would go backwards without a word, and rows would be applied twice.
  const bool was_moved = progress && *progress >= *facts_.line && !is_mutant("origin_advanced_again");
  const Lsn start = is_mutant("origin_past_line") ? wal_insert_position(serving_->control(), deadline) : *facts_.line;
  const bool is_to_move = !was_moved && !is_mutant("origin_not_advanced");
  if (is_to_move) advance_origin(follower_->control(), subscription, start, deadline);
  crash_point("inside:start_reverse");
  enable_subscription(follower_->control(), stream, deadline);
}

PlannedActs StartReverse::statements(Deadline) {
  const std::string there = serving_->color(), here = follower_->color();
  PlannedActs out;
  for (const auto& stream : back_) {
    out.push_back({here, advance_origin_statement().text(), {"<origin of " + stream.name + ">", "<L>"}});
    out.push_back({here, enabling_statement(stream).text()});
  }
  out.push_back({there, marker_with_sequences_statement().text(), {"<id>", "reverse", there}});
  for (const auto& stream : back_) out.push_back({here, flushing_statement(stream, false).text()});
  return out;
}

std::string StartReverse::apply(Deadline deadline) {
  if (follower_->is_given_up())
    throw NeedsHuman("reverse.given-up", follower_->color() + " was given up as lost, so nothing follows " + serving_->color(),
                     "Clients run on " + serving_->color() + " without a way back; see: verdigris status");
  const auto states = subscription_briefs(follower_->control(), back_, deadline);
  // All of them before the first begins: a side that follows in part is at no point in time any more.
  for (std::size_t i = 0; i < states.size(); ++i) {
    const auto& stream = back_[i];
    if (!states[i].exists)
      throw NeedsHuman("reverse.subscription", follower_->color() + ": subscription " + stream.name + " is gone",
                       "Clients run on " + serving_->color() + " without a way back; see: verdigris status");
    if (back_.is_grouped() && !states[i].is_enabled) {
      const auto progress = origin_progress(follower_->control(), states[i].oid, deadline);
      require_slot_not_past(stream, progress ? std::max(*progress, *facts_.line) : *facts_.line, deadline);
    }
  }
  for (std::size_t i = 0; i < states.size(); ++i)
    if (!states[i].is_enabled) enable_from_line(back_[i], states[i].oid, deadline);
  const auto id = write_marker_with_sequences(serving_->control(), serving_->color(), "reverse", deadline);
  ApplyWatch watch(*follower_, back_);
  const auto until = bounded("endless_return", deadline);
  if (!watch.wait_for_marker(id, until, until))
    throw DeadlinePassed(follower_->color() + ": marker " + std::to_string(id) + " did not come back in time",
                         "Look for errors of the apply worker in that server's log.");
  // It was on so that the origin's move became durable with the first commit; that has happened.
  for (const auto& stream : back_) flush_each_commit(follower_->control(), stream, false, deadline);
  return follower_->color() + " follows from " + facts_.line->text() + ", marker " + std::to_string(id) + " came back";
}

}  // namespace verdigris
