// How fast a copy may read: one for all its streams, changed while they work. Any thread.
#pragma once

#include <chrono>
#include <cstdint>
#include <mutex>

namespace verdigris {

class CopyThrottle {
 public:
  using Clock = std::chrono::steady_clock;

  // Bytes of rows per second, all streams together; 0: as fast as it goes.
  void set_rate(std::int64_t bytes_per_second);
  std::int64_t rate() const;
  // Nothing is read as long as it is held. A server that is not read from waits.
  void hold(bool is_held);

  // How long a stream must not read; zero: it may. While held always the same short time, to be asked again.
  std::chrono::milliseconds wait(Clock::time_point now = Clock::now());
  void took(std::int64_t bytes);

 private:
  mutable std::mutex mutex_;
  std::int64_t rate_ = 0;
  bool is_held_ = false;
  double allowance_ = 0;  // bytes; below zero: taken in advance
  Clock::time_point filled_{};
};

}  // namespace verdigris
