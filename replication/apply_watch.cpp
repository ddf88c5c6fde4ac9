#include "replication/apply_watch.hpp"

#include <thread>

#include "replication/marker.hpp"
#include "replication/subscription.hpp"

namespace verdigris {
namespace {

constexpr std::int64_t kFailures = 2;
constexpr std::size_t kWorkers = 4;
constexpr std::chrono::milliseconds kLookEvery{250};

std::string hint_for(const Server& receiver) {
  return "Read the server log of " + receiver.color() + ", correct the cause, then repeat the command.";
}

}  // namespace

void ApplyWatch::require_applying(Deadline deadline) {
  const auto state = subscription_state(receiver_.control(), stream_, deadline);
  if (!state.exists || !state.is_enabled)
    throw Error("apply.stopped",
                receiver_.color() + ": subscription " + stream_.name + " is " + (state.exists ? "disabled" : "gone"),
                hint_for(receiver_));
  if (!errors_before_) errors_before_ = state.apply_errors;
  if (state.worker_pid) workers_.insert(*state.worker_pid);
  const auto failures = state.apply_errors - *errors_before_;
  const bool is_counted = receiver_.control().major() >= 15;
  if (is_counted ? failures < kFailures : workers_.size() < kWorkers) return;
  throw Error("apply.failing",
              receiver_.color() + ": the apply worker of subscription " + stream_.name + " fails again and again: " +
                  (is_counted ? std::to_string(failures) + " errors" : std::to_string(workers_.size()) + " workers") +
                  " while waiting",
              hint_for(receiver_));
}

bool ApplyWatch::wait_for_marker(std::int64_t id, Deadline until, Deadline deadline) {
  auto next_look = Deadline::after(kLookEvery);
  while (!marker_arrived(receiver_.control(), id, deadline)) {
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
