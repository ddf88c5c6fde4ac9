// Traffic of which verdigris knows nothing (playbook: driver none). The fence alone keeps clients off the source, they
// meet its errors, and find the target by themselves (several hosts in their connection string) or are led there by the
// operator.
#pragma once

#include "controller/traffic.hpp"

namespace verdigris {

class NoTraffic final : public Traffic {
 public:
  TrafficAbilities abilities() const override { return {false, false, false, false, false, false}; }
  std::string effect_on_clients() const override;
  void require_ready(const Endpoint&, std::chrono::milliseconds, Deadline) override {}
  void stage(const Endpoint&, Deadline) override {}
  void discard_staged() override {}
  void require_unedited() override {}
  void pause(Deadline) override;
  void resume(Deadline) override;
  void resume_but_for(const Endpoint&, Deadline deadline) override { resume(deadline); }
  void point_to(const Endpoint& target, Deadline) override { target_ = target; }
  bool has_moved(const Endpoint& target, Deadline) override { return target_ == target && times_.last_resume_acknowledged; }
  std::vector<TrafficState> state(Deadline) override { return {}; }
  PauseTimes pause_times() const override { return times_; }
  // Once the target is known it says what is left to do: "... lead the clients to db2:5432/orders yourself".
  std::string describe() const override;

 private:
  PauseTimes times_;
  std::optional<Endpoint> target_;
};

}  // namespace verdigris
