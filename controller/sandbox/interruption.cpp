#include "controller/sandbox/interruption.hpp"

namespace verdigris {

Interruption::Interruption() {
  ::sigemptyset(&waited_for_);
  for (const int signal : {SIGINT, SIGTERM, SIGHUP}) ::sigaddset(&waited_for_, signal);
  ::pthread_sigmask(SIG_BLOCK, &waited_for_, &before_);
}

Interruption::~Interruption() {
  ::pthread_sigmask(SIG_SETMASK, &before_, nullptr);
}

bool Interruption::has_come(std::chrono::milliseconds wait) {
  if (signal_) return true;
  const timespec time{wait.count() / 1000, (wait.count() % 1000) * 1'000'000};
  const int signal = ::sigtimedwait(&waited_for_, nullptr, &time);
  if (signal > 0) signal_ = signal;
  return signal_.has_value();
}

}  // namespace verdigris
