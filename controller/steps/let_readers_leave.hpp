// Behind a move of readers: those who come are served there, and the poolers' old server connections end, each with the transaction that is open on it, so that
// no reader stays where it was. A long one is not waited for without end: nothing rests on it, and it is named.
#pragma once

#include <chrono>
#include <string>

#include "controller/step.hpp"
#include "controller/traffic.hpp"

namespace verdigris {

class LetReadersLeave final : public Step {
 public:
  // from: the colour of the side that they leave.
  LetReadersLeave(Traffic& reads, std::string from, Endpoint to)
      : reads_(reads), from_(std::move(from)), to_(std::move(to)), is_way_back_(from_ == "green") {}
  std::string_view name() const override { return "let_readers_leave"; }
  std::string describe() const override;
  bool leaves_trace() const override { return false; }
  Readiness check(Deadline deadline) override;
  // Throws Error "reads.not-served" if readers wait at a pooler that gets no server connection; on the way back to blue the
  // account says so.
  std::string apply(Deadline deadline) override;

 private:
  std::string unserved(Deadline deadline);
  Traffic& reads_;
  std::string from_;
  Endpoint to_;
  bool is_way_back_;
};

}  // namespace verdigris
