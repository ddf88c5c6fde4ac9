#include "controller/steps/drain_left.hpp"

#include <algorithm>

#include "controller/forced_loss.hpp"
#include "replication/marker.hpp"
#include "replication/poll.hpp"
#include "replication/subscription.hpp"

namespace verdigris {
namespace {

// What is left of the budget for stopping the stream, sequences and the decision.
constexpr std::chrono::milliseconds kRest{2'000};

}  // namespace

std::string DrainLeft::describe() const {
  return green_->is_given_up() ? "drain nothing: green does not answer" : "apply on blue what green has not sent yet";
}

Readiness DrainLeft::check(Deadline) {
  if (green_->is_given_up()) return Done{};
  return Ready{};
}

std::string DrainLeft::apply(Deadline deadline) {
  const auto states = subscription_briefs(blue_->control(), back_, deadline);
  std::vector<AppliedStream> running;  // what can be drained is, even if another group cannot
  for (std::size_t i = 0; i < states.size(); ++i)
    if (states[i].exists && states[i].is_enabled) running.push_back({back_[i], states[i].oid});
  const auto marker = write_final_marker(green_->control(), "green", green_->deployment(), deadline);
  const Deadline until = Deadline::after(std::max(deadline.remaining() - kRest, std::chrono::milliseconds(500))).or_earlier(deadline);
  const bool is_drained = !running.empty() && wait_until(until, [&] {
    const auto progress = progress_past_marker(blue_->control(), marker.id, running, deadline);
    return progress && *progress >= marker.position;
  });
  if (is_drained && running.size() == back_.size()) return "everything up to " + marker.position.text() + " of green is on blue: nothing is lost";
  const auto loss = measure_loss(*green_, *blue_, back_, decided_at_, deadline);
  require_accepted(loss, accepted_);
  return "could not be drained; left behind: " + loss.text();
}

}  // namespace verdigris
