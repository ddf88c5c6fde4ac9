// Traffic through anything else (playbook: driver command; operator.md section 9): programs of the operator, run by argv,
// lead clients to a server and say where they are led. What such a router can do for clients it declares; safety rests
// on the fence alone. One thread. The contract of the programs is in playbooks/other_traffic.md.
#pragma once

#include "controller/playbook.hpp"
#include "controller/traffic.hpp"

namespace verdigris {

class CommandTraffic final : public Traffic {
 public:
  explicit CommandTraffic(TrafficCommands commands) : commands_(std::move(commands)) {}

  TrafficAbilities abilities() const override;
  std::string effect_on_clients() const override;
  // Refused ids: "pooler.command-file", "-command-failed", "-command-timeout", "-command-answer", "-target", "-paused",
  // "-budget".
  void require_sound(const Endpoint& current, std::chrono::milliseconds budget, Deadline deadline) override;
  // Also runs set_target with the target that it has: what would fail behind the line fails here, where nobody waits.
  void require_ready(const Endpoint& current, std::chrono::milliseconds budget, Deadline deadline) override;
  void stage(const Endpoint&, Deadline) override {}
  void discard_staged() override {}
  void require_unedited() override {}
  // Of one that cannot hold clients: notes the time, from which on they are turned away.
  void pause(Deadline deadline) override;
  void resume(Deadline deadline) override;
  void resume_but_for(const Endpoint& closed, Deadline deadline) override;
  void point_to(const Endpoint& target, Deadline deadline) override;
  bool has_moved(const Endpoint& target, Deadline deadline) override;
  std::vector<TrafficState> state(Deadline deadline) override;
  PauseTimes pause_times() const override { return times_; }
  std::string describe() const override;

 private:
  // The answer of show_target: one word, "green" or "db2:5432" or "db2:5432/orders", and "held" behind it.
  struct Shown {
    Endpoint target;
    bool is_held = false;
    std::string text;
    bool is(const Endpoint& wanted) const;
  };
  std::string run(const std::string& name, const CommandLine& line, const Endpoint& target, Deadline deadline) const;
  Shown show(Deadline deadline);
  void require_current(const Endpoint& current, Deadline deadline);

  TrafficCommands commands_;
  PauseTimes times_;
  std::optional<Shown> last_shown_;
  bool is_released_ = false;  // by this object
};

}  // namespace verdigris
