#include "controller/steps/stand_ready.hpp"

#include "controller/bypass.hpp"
#include "controller/steps/copy_sequences.hpp"
#include "replication/access.hpp"
#include "replication/fence.hpp"
#include "replication/identity.hpp"
#include "replication/marker.hpp"
#include "replication/rehearsal.hpp"
#include "replication/slot.hpp"
#include "replication/subscription.hpp"
#include "replication/test_switches.hpp"

namespace verdigris {

std::string StandReady::describe() const {
  return "close idle server connections of the poolers, raise the sequences of " + target_->color() + " to those of " +
         source_->color() + " as they are now";
}

WatchedApply& watched_apply(CutoverFacts& facts, Target target, const Streams& there, Deadline deadline) {
  if (facts.apply) return *facts.apply;
  const auto states = subscription_briefs(target->control(), there, deadline);
  std::vector<AppliedStream> applied;
  for (std::size_t i = 0; i < states.size(); ++i) {
    if (!states[i].is_enabled || !states[i].is_ready)
      throw Error("drain.subscription",
                  target->color() + ": subscription " + there[i].name + " is disabled or not all of its tables are ready",
                  "Look into that server's log for errors of the apply worker.");
    applied.push_back({there[i], states[i].oid});
  }
  facts.apply.emplace(WatchedApply{std::move(applied), ApplyWatch(*target, there, 1)});
  facts.apply->watch.require_applying(deadline);
  return *facts.apply;
}

// Closing and opening are rehearsed, each in a transaction that is rolled back.
PlannedActs StandReady::statements(Deadline) {
  const std::string here = source_->color(), there = target_->color();
  PlannedActs out{{here, "BEGIN"},
                  {here, closing_access_statement().text(), {source_->deployment(), text_array(keep_)}},
                  {here, fence_statement(FenceState::closed).text()},
                  {here, "ROLLBACK"},
                  {there, "BEGIN"},
                  {there, fence_statement(FenceState::open).text()},
                  {there, marker_fence_statement(FenceState::open).text()},
                  {there, opening_access_statement().text(), {target_->deployment()}},
                  {there, "ROLLBACK"}};
  const auto shedding = traffic_.shed_commands();
  out.insert(out.end(), shedding.begin(), shedding.end());
  out.push_back({there, raising_of_any().text()});
  return out;
}

// What the window asks is asked once, so that it is parsed and planned: most of what such a question takes. Functions are
// planned for any value the first time, not the sixth.
void StandReady::plan_questions(Deadline deadline) {
  for (Server* server : {&*source_, &*target_}) {
    auto& on = server->control();
    on.execute(Sql("SET plan_cache_mode = force_generic_plan"), deadline);
    fences(on, deadline);
    is_access_closed(on, server->deployment(), deadline);
    server_identity(on, server->deployment(), deadline);
  }
  foreign_sessions(source_->control(), source_->deployment(), deadline);
  progress_past_marker(target_->control(), 0, facts_.apply->streams, deadline);
  const Streams back(Stream::leaving(target_->color(), target_->deployment()), there_.groups());
  slot_states(target_->control(), back, deadline);
  subscription_briefs(source_->control(), back, deadline);
}

std::string StandReady::apply(Deadline deadline) {
  facts_.tables_to_lock = fenced_tables(source_->control(), deadline);
  facts_.apply.reset();
  facts_.sequence_look.reset();
  watched_apply(facts_, target_, there_, deadline);
  plan_questions(deadline);
  std::size_t all = 0;
  // Seen in the rehearsal, it costs nobody a pause.
  require_all_shut_out(*source_, rehearse_closing(source_->control(), source_->deployment(), keep_, deadline), keep_);
  rehearse_opening(target_->control(), target_->deployment(), deadline);
  // Behind all that takes the servers' time: while they are busy with it, poolers open more connections.
  traffic_.shed_idle(deadline);
  auto& pair = sequences_of(facts_, source_, target_);
  pair.target.note_storage(deadline);
  const auto ahead = pair.outgrown_ones(deadline, &all);
  if (!is_mutant("sequences_not_copied")) {
    set_sequences(target_->control(), ahead, deadline);
    pair.target.assume(ahead);
  }
  return std::to_string(facts_.tables_to_lock.size()) + " tables to lock, " + std::to_string(ahead.size()) + " of " +
         std::to_string(all) + " sequences raised on " + target_->color();
}

// What is known of this attempt is not what the next one needs.
void StandReady::undo(Deadline deadline) {
  facts_.apply.reset();
  facts_.tables_to_lock.clear();
  traffic_.keep_idle(deadline);
}

}  // namespace verdigris
