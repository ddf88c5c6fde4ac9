// An answer that was asked for and is not taken yet, because another server is asked meanwhile. If an error comes between,
// it is taken on the way out, within 0.3 s: the next question on that session, such as an undo's, must not get it.
// Lives shorter than the session; one thread.
#pragma once

#include <utility>

#include "replication/connection.hpp"

namespace verdigris {

class PendingAnswer {
 public:
  explicit PendingAnswer(Connection& on) : on_(&on) {}
  ~PendingAnswer() {
    if (on_ == nullptr || !on_->is_open()) return;
    try {
      on_->receive(Deadline::after(std::chrono::milliseconds(300)));
    } catch (const Error&) {
      // A session that was lost is seen by whoever uses it next.
    }
  }
  PendingAnswer(const PendingAnswer&) = delete;
  PendingAnswer& operator=(const PendingAnswer&) = delete;
  // Whoever called receive() has it.
  Connection& take() { return *std::exchange(on_, nullptr); }

 private:
  Connection* on_;
};

}  // namespace verdigris
