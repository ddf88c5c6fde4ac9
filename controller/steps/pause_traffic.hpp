// Opens the window: new transactions are held at the poolers, running ones end, and no server connection of the database
// is left. Undone by releasing clients where they were. What cannot hold clients only notes the time: the fence turns
// them away.
#pragma once

#include "controller/step.hpp"
#include "controller/traffic.hpp"
#include "replication/server.hpp"

namespace verdigris {

class PauseTraffic final : public Step {
 public:
  PauseTraffic(Source source, Traffic& traffic) : source_(source), traffic_(traffic) {}
  std::string_view name() const override { return "pause_traffic"; }
  std::string describe() const override;
  Readiness check(Deadline deadline) override;
  PlannedActs statements(Deadline deadline) override;
  std::string apply(Deadline deadline) override;
  std::optional<std::chrono::steady_clock::time_point> felt_since() const override {
    return traffic_.pause_times().first_pause_sent;
  }
  void undo(Deadline deadline) override;

 private:
  std::string open_transactions();
  Source source_;
  Traffic& traffic_;
};

}  // namespace verdigris
