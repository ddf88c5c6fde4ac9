// Of a forced rollback: blue applies nothing of green any more, seen by its worker being gone. A green that came back
// would otherwise overwrite what blue has acknowledged since (faults M33).
#pragma once

#include "controller/cutover_facts.hpp"
#include "controller/step.hpp"
#include "replication/server.hpp"
#include "replication/stream.hpp"

namespace verdigris {

class StopReverse final : public Step {
 public:
  StopReverse(Target blue, Streams back, const CutoverFacts& facts) : blue_(blue), back_(std::move(back)), facts_(facts) {}
  std::string_view name() const override { return "stop_reverse"; }
  std::string describe() const override { return "stop what blue applies of green: " + back_.names(); }
  Readiness check(Deadline deadline) override;
  std::string apply(Deadline deadline) override;
  void undo(Deadline deadline) override;

 private:
  Target blue_;
  Streams back_;
  const CutoverFacts& facts_;
};

}  // namespace verdigris
