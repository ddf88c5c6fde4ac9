#include "replication/copy/throttle.hpp"

#include <algorithm>
#include <cmath>

namespace verdigris {
namespace {

constexpr std::chrono::milliseconds kAskAgain{100};
constexpr double kMostSaved = 0.1;  // seconds of the rate that a pause may save up

}  // namespace

void CopyThrottle::set_rate(std::int64_t bytes_per_second) {
  const std::lock_guard lock(mutex_);
  if (bytes_per_second == rate_) return;
  rate_ = bytes_per_second;
  allowance_ = 0;
  filled_ = Clock::now();
}

std::int64_t CopyThrottle::rate() const { return std::scoped_lock(mutex_), rate_; }

void CopyThrottle::hold(bool is_held) {
  const std::lock_guard lock(mutex_);
  is_held_ = is_held;
}

std::chrono::milliseconds CopyThrottle::wait(Clock::time_point now) {
  const std::lock_guard lock(mutex_);
  if (is_held_) return kAskAgain;
  if (rate_ == 0) return std::chrono::milliseconds{0};
  const auto rate = static_cast<double>(rate_);
  const std::chrono::duration<double> since = now - filled_;
  allowance_ = std::min(allowance_ + std::max(since.count(), 0.0) * rate, kMostSaved * rate);
  filled_ = std::max(now, filled_);
  if (allowance_ > 0) return std::chrono::milliseconds{0};
  // Asked again in time: the rate may be another by then.
  const auto needed = std::chrono::milliseconds{static_cast<std::int64_t>(std::ceil(-allowance_ / rate * 1000.0)) + 1};
  return std::min(needed, kAskAgain);
}

void CopyThrottle::took(std::int64_t bytes) {
  const std::lock_guard lock(mutex_);
  if (rate_ > 0) allowance_ -= static_cast<double>(bytes);
}

}  // namespace verdigris
