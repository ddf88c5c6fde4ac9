// Behind a move of readers: the poolers' old server connections end, each with the transaction that is open on it, so that
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
  LetReadersLeave(Traffic& reads, std::string from) : reads_(reads), from_(std::move(from)) {}
  std::string_view name() const override { return "let_readers_leave"; }
  std::string describe() const override;
  bool leaves_trace() const override { return false; }
  Readiness check(Deadline deadline) override;
  std::string apply(Deadline deadline) override;

 private:
  Traffic& reads_;
  std::string from_;
};

}  // namespace verdigris
