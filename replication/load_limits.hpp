// What an operator lets a server have to do beside a copy. Plain values.
#pragma once

#include <chrono>

namespace verdigris {

// 0: not looked at.
struct LoadLimits {
  int active_sessions = 0;                  // client sessions in a statement, without ours
  std::chrono::milliseconds standby_lag{0};  // of replay, of the slowest physical standby
  std::chrono::milliseconds commit{0};       // that an empty commit takes, with the standbys it waits for

  bool has_any() const { return active_sessions > 0 || standby_lag.count() > 0 || commit.count() > 0; }
};

}  // namespace verdigris
