#include "controller/steps/move_traffic.hpp"

#include "replication/errors.hpp"

namespace verdigris {
namespace {

// How long clients of one pooler may wait for the answer of another: only where all files name the target already.
constexpr std::chrono::milliseconds kMovedLook{1'000};

}  // namespace

std::string MoveTraffic::describe() const {
  if (!traffic_.abilities().moves_clients) return "nothing to move: " + traffic_.describe();
  const std::string where = to_.host.empty() ? "the target" : to_.host + ":" + to_.port;
  return "lead clients to " + where + " at " + traffic_.describe();
}

Readiness MoveTraffic::check(Deadline deadline) {
  try {
    if (traffic_.has_moved(to_, Deadline::after(kMovedLook).or_earlier(deadline))) return Done{};
  } catch (const Error&) {
    return Ready{};  // one that does not answer must not keep the others from being moved
  }
  return Ready{};
}

PlannedActs MoveTraffic::statements(Deadline deadline) { return traffic_.move_commands(deadline); }

std::string MoveTraffic::apply(Deadline deadline) {
  traffic_.move(to_, deadline);
  if (!traffic_.abilities().moves_clients) return traffic_.describe();
  const int waited = traffic_.pause_times().waiting_clients;
  return traffic_.describe() + ", " + to_.host + ":" + to_.port + " read back" +
         (traffic_.abilities().has_file ? ", " + std::to_string(waited) + " clients had waited" : "");
}

}  // namespace verdigris
