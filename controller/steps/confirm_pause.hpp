// Just above the line: are clients still held? A pooler that ended and came back forgets its pause, and its clients
// meet the fence. And has nobody edited the file that is to be replaced? Safety does not need this step; with it such a
// switch is put back instead of going on without its clients.
#pragma once

#include "controller/step.hpp"
#include "controller/traffic.hpp"

namespace verdigris {

class ConfirmPause final : public Step {
 public:
  explicit ConfirmPause(Traffic& traffic) : traffic_(traffic) {}
  std::string_view name() const override { return "confirm_pause"; }
  std::string describe() const override;
  Readiness check(Deadline) override { return Ready{}; }
  std::string apply(Deadline deadline) override;
  bool leaves_trace() const override { return false; }

 private:
  Traffic& traffic_;
};

}  // namespace verdigris
