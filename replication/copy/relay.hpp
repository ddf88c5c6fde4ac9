// Moves one COPY stream from a source session to a target session. Rows are gathered into messages of 64 KiB and more
// (row boundaries mean nothing inside CopyData), and while the target's socket is full nothing is read from the source.
// The target's COPY is ended normally only after the source has reported success; else it is ended with an error.
#pragma once

#include <atomic>
#include <cstdint>
#include <stop_token>

#include "replication/connection.hpp"
#include "replication/copy/throttle.hpp"

namespace verdigris {

// The source's session ended under way, or could not be had: another one under the same snapshot can begin anew.
class CopySourceLost : public Error {
 public:
  enum class Why { lost, lock };  // lock: a table was taken by somebody, for as long as he needs it
  explicit CopySourceLost(const Error& cause, Why why = Why::lost)
      : Error("copy.source-lost", cause.what(), cause.hint(), cause.failure()), why_(why) {}
  Why why() const { return why_; }

 private:
  Why why_;
};

// Both sessions are inside a transaction, owned by the calling thread, and the target's has client_min_messages=error:
// whatever it says during COPY is then its failure. Adds bytes to `sent` as they leave, and reads when
// `throttle` (may be nothing) lets it. Returns the number of rows,
// which both sides reported alike. Throws what the failing side said, CopySourceLost, Error("copy.stopped") on
// request, DeadlinePassed; the target's transaction is to be given up then, and the source's session is closed.
std::int64_t relay_copy(Connection& source, const Sql& copy_to, Connection& target, const Sql& copy_from,
                        const std::stop_token& stop, std::atomic<std::int64_t>& sent, Deadline deadline,
                        CopyThrottle* throttle = nullptr);

}  // namespace verdigris
