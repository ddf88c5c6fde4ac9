#include "controller/steps/drain_to_marker.hpp"

#include <algorithm>
#include <thread>

#include "controller/bypass.hpp"
#include "controller/steps/copy_sequences.hpp"
#include "controller/steps/stand_ready.hpp"
#include "replication/fence.hpp"
#include "replication/origin.hpp"
#include "replication/pending_answer.hpp"
#include "replication/standbys.hpp"
#include "replication/test_switches.hpp"

namespace verdigris {
namespace {

constexpr std::chrono::milliseconds kLeftForUndo{50};
constexpr std::chrono::milliseconds kWorkerLook{100};  // at the worker: a marker takes a few

}  // namespace

std::string DrainToMarker::describe() const {
  return "write the last marker on " + source_->color() + " and wait until " + target_->color() + " has applied it";
}

// Ours is the newest final marker of this side and its fence is closed: nothing was written behind it.
bool DrainToMarker::is_written(Deadline deadline) {
  if (!facts_.marker || marker_fence_state(source_->control(), deadline) != FenceState::closed) return false;
  const auto newest = source_->control().query(
      Sql("SELECT id FROM verdigris.marker WHERE kind = 'final' AND side = $1 ORDER BY id DESC LIMIT 1"),
      {source_->color()}, deadline);
  const auto row = newest.at_most_one_row(1);
  return row && row->integer(0) == facts_.marker->id;
}

Readiness DrainToMarker::check(Deadline deadline) {
  // Where standbys are waited for, too, apply() looks at them again; it writes no second marker.
  if (promotable_.empty() && is_written(deadline) && marker_arrived(target_->control(), streams_, facts_.marker->id, deadline)) return Done{};
  return Ready{};
}

// What the mutant believes instead: that whatever was sent is confirmed.
bool DrainToMarker::is_all_confirmed(Deadline deadline) {
  const auto answer = source_->control().query(
      Sql("SELECT bool_and(flush_lsn >= sent_lsn) IS NOT FALSE FROM pg_catalog.pg_stat_replication WHERE application_name = ANY ($1)"),
      {text_array(streams_.name_list())}, deadline);
  return answer.one_row(1).boolean(0);
}

bool DrainToMarker::is_drained(const std::vector<AppliedStream>& applied, Deadline deadline) {
  const bool is_first_alone = is_mutant("first_group_drained_alone");
  const auto progress = progress_past_marker(target_->control(), facts_.marker->id,
                                             is_first_alone ? std::vector{applied.front()} : applied, deadline);
  return progress && *progress >= facts_.marker->position;
}

PlannedActs DrainToMarker::statements(Deadline) {
  return {{source_->color(), final_marker_statement(Sql("<id>"), source_->color(), source_->deployment()).text()}};
}

// The marker was committed behind the fence. One that follows the target is none of the source's.
void DrainToMarker::wait_for_standbys(Deadline deadline) {
  auto names = promotable_;
  if (names.empty()) return;
  const auto here = physical_standbys(source_->control(), deadline);
  for (const auto& other : physical_standbys(target_->control(), deadline))
    if (std::ranges::find(here, other.name, &Standby::name) == here.end()) std::erase(names, other.name);
  for (;;) {
    const auto behind = standbys_behind(source_->control(), names, facts_.marker->position, deadline);
    if (behind.empty()) return;
    if (deadline.remaining() <= kLeftForUndo)
      throw Error("fence.standby-behind", source_->color() + ": a standby does not have the fence and would be open if it were promoted: " + behind.front(),
                  "Look what holds that standby up, or take it out of cutover.standbys.promotable and out of reach of your failover software.");
    std::this_thread::sleep_for(std::chrono::milliseconds(2));
  }
}

// Whether what the target applied has set any of its sequences back is asked while the source still answers. Parity reads
// both sides once more.
void DrainToMarker::compare_sequences(SourceLook& look, Deadline deadline) {
  auto& target = sequences_of(facts_, source_, target_).target;
  target.send_storage(deadline);
  PendingAnswer answer(target_->control());
  const auto positions = look.finish(deadline);
  answer.take();
  const auto there = target.receive_unless_replaced(deadline);
  if (positions) facts_.sequence_look = SequenceLook{outgrown(*positions, there), positions->size()};
}

// Meanwhile the source, which has nothing to do any more, says who is left there and how far its sequences are.
void DrainToMarker::drain(const std::vector<AppliedStream>& applied, ApplyWatch& watch, Deadline deadline) {
  const bool is_believed = is_mutant("marker_not_awaited") || (is_mutant("sent_position_awaited") && is_all_confirmed(deadline));
  SourceLook look(source_, sequences_of(facts_, source_, target_).source);
  if (!is_mutant("no_fence")) look.begin(std::exchange(facts_.marker->nobody_left, false), deadline);  // once: somebody may come later
  auto next_look = Deadline::after(kWorkerLook);
  while (!is_believed && !is_drained(applied, deadline)) {
    if (deadline.has_passed())
      throw DeadlinePassed(target_->color() + ": the last marker of " + source_->color() + " was not applied in time",
                           "Look for lag, locks or errors of the apply worker on that server.");
    if (next_look.has_passed()) {
      watch.require_applying(deadline);
      next_look = Deadline::after(kWorkerLook);
    }
    look.advance(deadline);
    std::this_thread::sleep_for(std::chrono::microseconds(300));
  }
  compare_sequences(look, deadline);
}

std::string DrainToMarker::apply(Deadline deadline) {
  auto& [applied, watch] = watched_apply(facts_, target_, streams_, deadline);
  if (is_mutant("line_before_drain")) facts_.line = wal_insert_position(target_->control(), deadline);
  // Repeated, it waits for the marker that stands: behind its closed fence there cannot be another.
  if (!is_written(deadline))
    facts_.marker = write_final_marker(source_->control(), source_->color(), source_->deployment(),
                                       bounded("endless_marker", deadline));
  drain(applied, watch, bounded("endless_drain", deadline));
  if (!is_mutant("standbys_not_awaited")) wait_for_standbys(bounded("endless_standbys", deadline));
  // Somebody was left when the look was taken: most often a server process whose pooler has closed its connection.
  if (!facts_.sequence_look && !is_mutant("no_fence"))
    wait_for_no_foreign_session(*source_, {fence_.bypass}, Deadline::after(fence_.lock_timeout).or_earlier(deadline), deadline);
  return "marker " + std::to_string(facts_.marker->id) + " on " + target_->color() + ", origin flushed past " +
         facts_.marker->position.text();
}

}  // namespace verdigris
