// A point on the monotonic clock until which a call may block. Every blocking call takes one, so that no wait is
// without an end and a change of the wall clock moves none. A value; copy freely, any thread.
#pragma once

#include <algorithm>
#include <chrono>

namespace verdigris {

class Deadline {
 public:
  using Clock = std::chrono::steady_clock;

  static Deadline after(std::chrono::milliseconds wait) { return Deadline(Clock::now() + wait); }
  static Deadline at(Clock::time_point when) { return Deadline(when); }

  // Never negative; rounded up, so that a poll() with it does not spin through the last millisecond.
  std::chrono::milliseconds remaining() const {
    return std::max(std::chrono::milliseconds{0}, std::chrono::ceil<std::chrono::milliseconds>(when_ - Clock::now()));
  }
  bool has_passed() const { return Clock::now() >= when_; }
  Deadline or_earlier(Deadline other) const { return Deadline(std::min(when_, other.when_)); }

 private:
  explicit Deadline(Clock::time_point when) : when_(when) {}
  Clock::time_point when_;
};

}  // namespace verdigris
