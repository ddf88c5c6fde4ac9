#include "controller/waiting_slot.hpp"

#include <algorithm>

#include "replication/fence.hpp"
#include "replication/origin.hpp"
#include "replication/slot.hpp"
#include "replication/test_switches.hpp"

namespace verdigris {
namespace {

Sql checkpoint_statement() { return Sql("CHECKPOINT"); }

}  // namespace

// Only now: its fence was seen closed after the position was read (cutover.md, "Before the pause" 8). Advanced after
// opening it would throw client commits away without a word. The checkpoint is first: decoding can begin anew only at
// what it writes, and that must lie before the position.
void bring_waiting_slot_close(Deployment& d, const std::string& source, Deadline deadline) {
  const auto back = d.streams_leaving(other_side(source), deadline);
  auto& target = d.target_of(source)->control();
  if (is_mutant("waiting_slot_not_advanced")) return;
  const auto states = slot_states(target, back, deadline);
  if (std::ranges::none_of(states, &SlotState::is_usable)) return;  // the plan will make them anew
  target.execute(checkpoint_statement(), deadline);
  const auto position = wal_insert_position(target, deadline);
  const auto state = fence_state(target, deadline);
  const bool is_closed = state == FenceState::closed || state == FenceState::following;
  if (!is_closed && !is_mutant("waiting_slot_advanced_anyway")) return;
  for (std::size_t i = 0; i < states.size(); ++i)
    if (states[i].is_usable()) advance_slot(target, back[i], position, deadline);
}

PlannedActs waiting_slot_statements(Deployment& d, const std::string& source, Deadline deadline) {
  const std::string on = other_side(source);
  const auto back = d.streams_leaving(on, deadline);
  const auto states = slot_states(d.side(on).control(), back, deadline);
  if (std::ranges::none_of(states, &SlotState::is_usable)) return {};
  PlannedActs out{{on, checkpoint_statement().text()}};
  for (std::size_t i = 0; i < states.size(); ++i)
    if (states[i].is_usable()) out.push_back({on, advance_slot_statement().text(), {back[i].name, "<end of its log>"}});
  return out;
}

}  // namespace verdigris
