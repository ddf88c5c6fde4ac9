#include "controller/start_gate.hpp"

#include "controller/config_values.hpp"
#include "controller/hold.hpp"
#include "replication/errors.hpp"

namespace verdigris {
namespace {

using Clock = std::chrono::steady_clock;

constexpr std::chrono::minutes kLong{1};

}  // namespace

StartGate::StartGate(Server& blue, Server& green, StartLimits limits, std::function<void(Deadline)> after_long_wait,
                     std::shared_ptr<GateWatch> watch)
    : blue_(blue),
      green_(green),
      limits_(limits),
      after_long_wait_(std::move(after_long_wait)),
      watch_(std::move(watch)) {}

std::optional<std::string> StartGate::noted(std::optional<std::string> why) {
  if (why && !closed_since_) closed_since_ = Clock::now();
  return why;
}

std::optional<std::string> StartGate::obstacle(Deadline deadline) {
  auto why = wait_for_people(deadline);
  if (watch_ && why) watch_->wait_for_others();
  if (watch_ && !why) why = watch_->obstacle();
  if (watch_ && why) watch_->look();
  return noted(std::move(why));
}

std::optional<std::string> StartGate::last_obstacle(Deadline) {
  return noted(watch_ ? watch_->last_obstacle() : std::nullopt);
}

std::optional<std::string> StartGate::hold(Deadline deadline) { return noted(wait_for_people(deadline)); }

std::optional<std::string> StartGate::wait_for_people(Deadline deadline) {
  auto found = hold_on(blue_, deadline);
  if (auto other = hold_on(green_, deadline); !found) found = std::move(other);  // both are asked: both must answer
  const bool is_early = limits_.at && std::chrono::system_clock::now() < *limits_.at;
  if (is_early) return "waits until " + local_time_text(*limits_.at);
  if (!found) return std::nullopt;
  const std::string held = "held by " + describe(*found) + " (on " + found->on + ")";
  if (!held_since_) held_since_ = Clock::now();
  if (limits_.longest_hold && Clock::now() - *held_since_ > *limits_.longest_hold)
    throw DeadlinePassed(held + ", for longer than --timeout " + duration_text(*limits_.longest_hold),
                         "Run \"verdigris release\", then the same command again; --timeout says how long to wait.");
  return held + "; \"verdigris release\" lets it go on";
}

void StartGate::opened(Deadline deadline) {
  const bool was_long = closed_since_ && Clock::now() - *closed_since_ > kLong;
  closed_since_.reset();
  held_since_.reset();
  if (was_long) after_long_wait_(deadline);
}

}  // namespace verdigris
