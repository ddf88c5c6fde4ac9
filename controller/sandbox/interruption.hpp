// SIGINT, SIGTERM and SIGHUP as something to ask for instead of something that ends us. Made in the main thread before
// any other thread exists: they inherit the blocked signals. Children get them unblocked (process.cpp).
#pragma once

#include <signal.h>

#include <chrono>
#include <optional>

namespace verdigris {

class Interruption {
 public:
  Interruption();
  ~Interruption();
  Interruption(const Interruption&) = delete;
  Interruption& operator=(const Interruption&) = delete;

  // Waits for up to `wait`; true once a signal has come, from then on at once.
  bool has_come(std::chrono::milliseconds wait = std::chrono::milliseconds{0});
  std::optional<int> signal() const { return signal_; }

 private:
  sigset_t waited_for_{};
  sigset_t before_{};
  std::optional<int> signal_;
};

}  // namespace verdigris
