// One PgBouncer process with its file and its consoles: A, one for each alias, which wait in PAUSE, and B, on which
// everything else is said. Consoles opened before the pause keep their rights even if a broken file takes them from new
// logins. Used by one thread at a time. Messages begin with "pooler <name>: ".
#pragma once

#include <chrono>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "controller/idle_shedding.hpp"
#include "controller/pgbouncer_console.hpp"
#include "controller/pgbouncer_identity.hpp"
#include "controller/pgbouncer_listeners.hpp"
#include "controller/pgbouncer_logins.hpp"
#include "controller/playbook.hpp"
#include "controller/pooler_files.hpp"

namespace verdigris {

class PgBouncerInstance {
 public:
  PgBouncerInstance(PoolerInstance settings, std::vector<std::string> aliases);

  void require_sound(const Endpoint& current, std::chrono::milliseconds budget, Deadline deadline);
  void require_ready(const Endpoint& current, std::chrono::milliseconds budget, Deadline deadline);
  // traffic.hpp; of all aliases. None where the file is not adopted.
  std::vector<LoginTrial> try_logins(const Endpoint& target, Deadline deadline);
  void clear_trials(Deadline deadline);
  void stage(const Endpoint& target, Deadline deadline);
  void discard_staged();
  void require_unedited();

  void shed_idle(Deadline deadline);
  void keep_idle(Deadline deadline);
  // How far the shedding has come, over all aliases, and how long clients wait, over all pools: the setting is theirs, too.
  struct Shed {
    int idle = 0, surplus = 0;  // server connections; surplus: beyond what shed_idle() found to be enough
    int longest_wait_ms = 0;
  };
  Shed shed(Deadline deadline);
  // Transactions that PAUSE would have to wait for now, over all aliases; adds the server processes behind the server
  // connections of now.
  int transactions(std::set<int>& backends, Deadline deadline);
  // The halves of a pause: all aliases at once; after the second no server connection of them is left.
  void send_pause(Deadline deadline);
  void finish_pause(Deadline deadline);
  // Throws nothing that leaves A open: a console that waits in PAUSE is of no use any more. but_for: names that lead there
  // stay held.
  void resume(Deadline deadline, const std::optional<Endpoint>& but_for = {});
  void point_to(const Endpoint& target, Deadline deadline);
  // Makes what point_to() did to the file durable.
  void settle();
  // Whether the file names the target; false too if that cannot be told without asking the process.
  bool has_file_for(const Endpoint& target);
  // Whether the process leads there, no alias is paused, and no client waits without a server connection.
  bool has_moved(const Endpoint& target, Deadline deadline);
  std::vector<TrafficState> state(Deadline deadline);
  std::vector<TrafficState> holds(Deadline deadline);
  std::vector<std::string> left_behind(Deadline deadline);  // traffic.hpp
  Service service(Deadline deadline);                       // traffic.hpp
  // What these would change and say (traffic.hpp).
  PlannedActs file_changes(const Endpoint& target, Deadline deadline);
  PlannedActs pause_commands() const;
  PlannedActs move_commands(Deadline deadline);

  // When clients were let go and how many had waited; nothing since the last pause of ours if no alias was found paused.
  struct Release {
    std::chrono::steady_clock::time_point at;
    int clients = 0;
  };
  const std::optional<Release>& release_seen() const { return release_seen_; }
  const std::string& name() const { return settings_.name; }
  pid_t pid() const { return process_.pid; }  // 0 before require_ready(), or if it cannot be seen
  PoolerListening listening() const;          // as require_sound() or require_ready() found it

 private:
  PgBouncerConsole& control(Deadline deadline);
  // Runs act on B; a session that was lost since (the process restarted) is opened anew, once. act may run twice.
  template <class Act>
  auto on_control(Deadline deadline, Act act);
  TrialOf trial_of(const std::string& alias, const IniFile& now, const std::string& moved) const;
  std::set<std::string> users_of(const std::string& alias, Deadline deadline);
  IniFile look(const Endpoint& current, std::chrono::milliseconds budget, Deadline deadline);
  void open_holders(Deadline deadline);
  void identify(Deadline deadline);
  void identify_on(PgBouncerConsole& console, Deadline deadline);
  bool runs_with(const Endpoint& target, Deadline deadline);
  bool reload_and_see(const Endpoint& target, Deadline deadline);
  bool hang_up_and_see(const Endpoint& target, Deadline deadline);
  void nudge_until_answered(PgBouncerConsole& holder, Deadline deadline);
  void let_logins_end(Deadline deadline);
  void wait_until_empty(const std::string& alias, Deadline deadline);
  [[noreturn]] void fail_pause(const std::string& why);
  std::string blockers();
  std::vector<std::string> paused_aliases(PgBouncerConsole& console, Deadline deadline);
  void release(PgBouncerConsole& console, const std::vector<std::string>& paused, Deadline deadline);
  int stranded(PgBouncerConsole& console, Deadline deadline);
  void wake(PgBouncerConsole& console, Deadline deadline);
  void wait_until_back(Deadline deadline);
  bool has_left_login_retry(PgBouncerConsole& console, Deadline deadline);
  std::string configured_login_retry(PgBouncerConsole& console, Deadline deadline);
  std::string setting_of_file(const char* name, const char* otherwise, Deadline deadline);

  PoolerInstance settings_;
  std::vector<std::string> aliases_;
  std::map<std::string, PgBouncerConsole> holders_;  // A, by alias
  std::optional<PgBouncerConsole> control_;          // B
  PoolerFiles files_;
  bool is_identified_ = false;
  PoolerProcess process_;
  std::map<std::string, std::string> config_;
  std::string reload_error_;
  std::optional<Release> release_seen_;
  IdleShedding shedding_;
  bool has_paused_ = false;
  int enough_servers_ = 0;  // in each pool, as shed_idle() found it
};

template <class Act>
auto PgBouncerInstance::on_control(Deadline deadline, Act act) {
  try {
    return act(control(deadline));
  } catch (const ConnectionLost&) {
    is_identified_ = false;
    return act(control(deadline));
  }
}

}  // namespace verdigris
