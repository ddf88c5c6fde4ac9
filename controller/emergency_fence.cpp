#include "controller/emergency_fence.hpp"

#include <algorithm>

#include "replication/fence.hpp"

namespace verdigris {
namespace {

using std::chrono::milliseconds;

// Who serves by one journal alone; nothing while a crossing is undecided there.
std::optional<std::string> serving_by(const std::vector<Record>& records) {
  const auto standing = standing_of(records);
  if (!standing.open || transition_of(standing.open->command).plan != PlanKind::cutover) return standing.serves;
  if (standing.open->is_undone) return standing.open->source;
  if (standing.open->is_committed) return standing.open->source == "blue" ? "green" : "blue";
  return std::nullopt;
}

void print_parting(const std::vector<Record>& blue, const std::vector<Record>& green, Output& output) {
  const auto is_same = [](const Record& a, const Record& b) {
    return a.epoch == b.epoch && a.seq == b.seq && a.event == b.event && a.detail == b.detail && a.controller == b.controller;
  };
  const auto [at_blue, at_green] = std::ranges::mismatch(blue, green, is_same);
  const auto print = [&](const char* color, const auto& at, const auto& end) {
    if (at == end) return;
    output.note(std::string(color) + ": record " + std::to_string(at->seq) + " of " + at->at + " is \"" + at->event +
                "\" by " + at->controller + " " + at->detail.dump());
  };
  print("blue ", at_blue, blue.end());
  print("green", at_green, green.end());
}

}  // namespace

void fence_if_open(Deployment& d, Server& server, bool is_dry_run, Output& output) {
  const auto deadline = Deadline::after(milliseconds(30'000));
  if (fence_state(server.control(), deadline) != FenceState::open) return;
  if (is_dry_run) return output.note(server.color() + " is open and would be closed for writes");
  try {
    close_fence(server.control(), d.playbook().fence.lock_timeout, deadline);
  } catch (const ServerError&) {
    // A writer did not let go: the function alone refuses every new statement, and no stillness is to be proven here.
    Transaction transaction(server.control(), deadline);
    set_fence(transaction, FenceState::closed);
    transaction.commit();
  }
  output.note(server.color() + " was open and has been closed for writes");
}

void fence_contradicting_sides(Deployment& d, bool is_dry_run, Output& output) {
  const auto deadline = Deadline::after(milliseconds(30'000));
  const auto blue = d.journal().records_on("blue", deadline);
  const auto green = d.journal().records_on("green", deadline);
  print_parting(blue, green, output);
  const auto by_blue = serving_by(blue);
  const bool is_agreed = by_blue && by_blue == serving_by(green);
  for (Server* server : {&d.blue(), &d.green()})
    if (!is_agreed || server->color() != *by_blue) fence_if_open(d, *server, is_dry_run, output);
}

}  // namespace verdigris
