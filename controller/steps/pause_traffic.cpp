#include "controller/steps/pause_traffic.hpp"

#include <algorithm>

#include "replication/access.hpp"

namespace verdigris {
namespace {

constexpr std::chrono::milliseconds kBlockerCourtesy{500};

}  // namespace

std::string PauseTraffic::describe() const {
  if (!traffic_.abilities().can_hold_clients) return traffic_.effect_on_clients();
  return "hold new transactions at " + traffic_.describe();
}

Readiness PauseTraffic::check(Deadline deadline) {
  if (!traffic_.abilities().can_hold_clients) return Ready{};
  const auto states = traffic_.state(deadline);
  const auto is_held = [](const TrafficState& s) { return s.is_paused && s.server_connections == 0; };
  if (!states.empty() && std::ranges::all_of(states, is_held)) return Done{};
  return Ready{};
}

PlannedActs PauseTraffic::statements(Deadline) { return traffic_.pause_commands(); }

std::string PauseTraffic::apply(Deadline deadline) {
  try {
    traffic_.pause(deadline);
  } catch (const Error& error) {
    if (error.id() != "pooler.pause-timeout") throw;
    throw Error(error.id(), std::string(error.what()) + open_transactions(), error.hint());
  }
  const auto abilities = traffic_.abilities();
  if (!abilities.can_hold_clients) return "nobody is held";
  return traffic_.describe() + (abilities.knows_transaction_end ? " held, no server connection left" : " held");
}

// Who holds a server connection, as the server sees it: asked now, since later it may be over. It costs clients a
// question, so nothing is waited for: what is not known is left out. On a session of its own: one whose answer is not
// waited for is closed, and the lease must not go with it.
std::string PauseTraffic::open_transactions() {
  std::string text;
  try {
    const auto soon = Deadline::after(kBlockerCourtesy);
    auto own = source_->open("blockers", soon, true);
    for (const auto& session : foreign_sessions(own, source_->deployment(), soon))
      if (session.state != "idle") text += (text.empty() ? "; " + source_->color() + ": " : ", ") + session.describe();
  } catch (const Error&) {
    return {};
  }
  return text;
}

void PauseTraffic::undo(Deadline deadline) { traffic_.resume(deadline); }

}  // namespace verdigris
