// Traffic through one or more PgBouncer processes (operator.md section 8). Instances are worked on at the same time;
// each act tries all of them, however many fail, and then throws one error that names those. Used by one thread at a
// time.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "controller/playbook.hpp"
#include "controller/traffic.hpp"

namespace verdigris {

class PgBouncerInstance;

class PgBouncerTraffic final : public Traffic {
 public:
  explicit PgBouncerTraffic(const PoolerSettings& settings);
  ~PgBouncerTraffic() override;

  // Refused ids: "pooler.unreachable", "-not-pgbouncer", "-version", "-identity", "-same-process", "-siblings",
  // "-listeners-unseen", "-paused", "-disabled", "-replication", "-alias-absent", "-session-pool", "-budget",
  // "-unknown-setting", "-target", "-stale-config", "-console-rights", "-login-in-flight", "-port-taken",
  // "-target-login", and those of IniFile and StagedFile.
  void require_sound(const Endpoint& current, std::chrono::milliseconds budget, Deadline deadline) override;
  void require_ready(const Endpoint& current, std::chrono::milliseconds budget, Deadline deadline) override;
  std::string try_logins(const Endpoint& target, Deadline deadline) override;
  void clear_trials(Deadline deadline) override;
  void stage(const Endpoint& target, Deadline deadline) override;
  void discard_staged() override;
  void require_unedited() override;
  void shed_idle(Deadline deadline) override;
  void keep_idle(Deadline deadline) override;
  // Chooses an instant with few open transactions first, within a tenth of the time left and 0.6 s. Gives up after the
  // playbook's pause timeout, or at the deadline if that is earlier. Error "pooler.pause-timeout" names who blocks;
  // "pooler.pause-lies" a process that answers PAUSE with transactions open.
  void pause(Deadline deadline) override;
  void resume(Deadline deadline) override;
  void resume_but_for(const Endpoint& closed, Deadline deadline) override;
  void point_to(const Endpoint& target, Deadline deadline) override;
  void move(const Endpoint& target, Deadline deadline) override;
  bool has_moved(const Endpoint& target, Deadline deadline) override;
  PlannedActs file_changes(const Endpoint& target, Deadline deadline) override;
  PlannedActs shed_commands() override;
  PlannedActs pause_commands() override;
  PlannedActs move_commands(Deadline deadline) override;
  std::vector<TrafficState> state(Deadline deadline) override;
  std::vector<TrafficState> holds(Deadline deadline) override;
  std::vector<std::string> left_behind(Deadline deadline) override;
  Service service(Deadline deadline) override;
  std::vector<int> closed_backends() const override { return closed_backends_; }
  PauseTimes pause_times() const override { return times_; }
  std::string describe() const override;

 private:
  void require_whole() const;
  void require_different_processes() const;
  bool is_shed(Deadline deadline);
  std::vector<int> wait_for_calm(Deadline deadline);
  void note_release();
  std::vector<std::unique_ptr<PgBouncerInstance>> instances_;
  std::vector<std::string> aliases_;
  std::chrono::milliseconds pause_timeout_;
  PauseTimes times_;
  std::vector<int> closed_backends_;
};

}  // namespace verdigris
