#include "controller/steps/move_traffic.hpp"

#include <thread>

#include "replication/errors.hpp"

namespace verdigris {
namespace {

// How long clients of one pooler may wait for the answer of another: only where all files name the target already.
constexpr std::chrono::milliseconds kMovedLook{1'000};
constexpr std::chrono::milliseconds kEnding{500};  // a connection that is about to be closed; nobody waits for it
constexpr std::chrono::milliseconds kEndingLook{2};

}  // namespace

std::string MoveTraffic::describe() const {
  if (!traffic_.abilities().moves_clients) return "nothing to move: " + traffic_.describe();
  const std::string where = to_.host.empty() ? "the target" : to_.host + ":" + to_.port;
  return "lead clients to " + where + " at " + traffic_.describe();
}

Readiness MoveTraffic::check(Deadline deadline) {
  try {
    const auto soon = Deadline::after(kMovedLook).or_earlier(deadline);
    if (traffic_.has_moved(to_, soon) && left_behind(soon).empty()) return Done{};
  } catch (const Error&) {
    return Ready{};  // one that does not answer must not keep the others from being moved
  }
  return Ready{};
}

PlannedActs MoveTraffic::statements(Deadline deadline) { return traffic_.move_commands(deadline); }

std::vector<std::string> MoveTraffic::left_behind(Deadline deadline) {
  if (earlier_ == Earlier::may_end_later) return {};
  return traffic_.left_behind(deadline);
}

// Looked at when clients have gone on. One that is there was opened past the pause: by a pooler that was restarted in it.
void MoveTraffic::wait_until_none_is_left(Deadline deadline) {
  const auto patience = Deadline::after(kEnding).or_earlier(deadline);
  for (auto left = left_behind(deadline); !left.empty(); left = left_behind(deadline)) {
    if (patience.has_passed())
      throw Error("pooler.left-behind",
                  left.front() + " still leads to where clients were before" +
                      (left.size() > 1 ? ", and " + std::to_string(left.size() - 1) + " more" : ""),
                  "It ends with its transaction, and what it writes is refused: end that client, or wait.");
    std::this_thread::sleep_for(kEndingLook);
  }
}

std::string MoveTraffic::apply(Deadline deadline) {
  traffic_.move(to_, deadline);
  wait_until_none_is_left(deadline);
  if (!traffic_.abilities().moves_clients) return traffic_.describe();
  const int waited = traffic_.pause_times().waiting_clients;
  return traffic_.describe() + ", " + to_.host + ":" + to_.port + " read back" +
         (traffic_.abilities().has_file ? ", " + std::to_string(waited) + " clients had waited" : "");
}

}  // namespace verdigris
