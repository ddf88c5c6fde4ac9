// Asking again until the answer is yes: for what PostgreSQL tells nobody about (a slot let go, a worker gone).
#pragma once

#include <algorithm>
#include <thread>

#include "replication/deadline.hpp"

namespace verdigris {

// False if the deadline passed first. `ready` is asked at least once; the pause grows from one to 20 ms, so that what
// is quick stays quick and what is slow costs the server little.
template <class Ready>
bool wait_until(Deadline deadline, Ready ready) {
  auto pause = std::chrono::milliseconds{1};
  for (;;) {
    if (ready()) return true;
    if (deadline.has_passed()) return false;
    std::this_thread::sleep_for(std::min(pause, deadline.remaining()));
    pause = std::min(pause * 2, std::chrono::milliseconds{20});
  }
}

}  // namespace verdigris
