// What the files of the runner share: which errors may mend themselves, and how it waits.
#pragma once

#include <algorithm>
#include <chrono>
#include <thread>

#include "replication/errors.hpp"

namespace verdigris {

inline bool is_about_connection(const Error& error) {
  return error.id() == "connection-lost" || error.id() == "outcome-unknown" || error.id() == "cannot-connect";
}

inline bool may_mend_itself(const Error& error) { return is_about_connection(error) || error.id() == "deadline-passed"; }

// Longer each time: every attempt leaves a record.
inline void wait_a_moment(int attempt = 1) {
  std::this_thread::sleep_for(std::chrono::milliseconds(std::min(10 << std::min(attempt, 7), 1'000)));
}

class Interrupted : public Error {
 public:
  Interrupted() : Error("interrupted", "interrupted by a signal", "Run the same command to go on.") {}
};

}  // namespace verdigris
