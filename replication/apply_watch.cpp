#include "replication/apply_watch.hpp"

#include <thread>

#include "replication/marker.hpp"
#include "replication/subscription.hpp"

namespace verdigris {
namespace {

constexpr std::chrono::milliseconds kLookEvery{250};

std::string hint_for(const Server& receiver) {
  return "Read the server log of " + receiver.color() + ", correct the cause, then repeat the command.";
}

}  // namespace

void ApplyWatch::require_applying(Deadline deadline) {
  for (std::size_t i = 0; i < streams_.size(); ++i) require_applying(streams_[i], seen_[i], deadline);
}

void ApplyWatch::require_applying(const Stream& stream, Seen& seen, Deadline deadline) {
  Connection& on = receiver_.control();
  const auto state = subscription_brief(on, stream, deadline);
  if (!state.exists || !state.is_enabled)
    throw Error("apply.stopped",
                receiver_.color() + ": subscription " + stream.name + " is " + (state.exists ? "disabled" : "gone"),
                hint_for(receiver_));
  const auto errors = apply_errors(on, state.oid, deadline);
  if (!seen.errors_before) seen.errors_before = errors;
  if (state.worker_pid) seen.workers.insert(*state.worker_pid);
  const auto failures = errors - *seen.errors_before;
  const bool is_counted = on.major() >= 15;
  // A worker also ends and comes back when its publisher restarts, hence twice as many.
  const auto most_workers = static_cast<std::size_t>(2 * most_failures_);
  if (is_counted ? failures < most_failures_ : seen.workers.size() < most_workers) return;
  throw Error("apply.failing",
              receiver_.color() + ": the apply worker of subscription " + stream.name + " fails: " +
                  (is_counted ? std::to_string(failures) + " errors" : std::to_string(seen.workers.size()) + " workers") +
                  " while waiting",
              hint_for(receiver_));
}

bool ApplyWatch::wait_for_marker(std::int64_t id, Deadline until, Deadline deadline) {
  auto next_look = Deadline::after(kLookEvery);
  while (!marker_arrived(receiver_.control(), streams_, id, deadline)) {
    if (until.has_passed()) return false;
    if (next_look.has_passed()) {
      require_applying(deadline);
      next_look = Deadline::after(kLookEvery);
    }
    std::this_thread::sleep_for(std::chrono::milliseconds(1));
  }
  return true;
}

}  // namespace verdigris
