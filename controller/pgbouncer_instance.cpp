#include "controller/pgbouncer_instance.hpp"

#include <algorithm>
#include <csignal>
#include <cstring>
#include <thread>

#include "controller/ini_file.hpp"
#include "controller/pgbouncer_probe.hpp"
#include "controller/pgbouncer_readiness.hpp"
#include "replication/test_switches.hpp"

namespace verdigris {
namespace {

constexpr std::chrono::milliseconds kPausePoll{1};
constexpr std::chrono::microseconds kNudge{300};
constexpr std::chrono::milliseconds kBlockerWait{200};  // a failing pause may spend this on naming who blocks it
constexpr std::chrono::milliseconds kLoginWait{500};
constexpr std::chrono::milliseconds kHangUpWait{1000};
constexpr std::chrono::milliseconds kRestartWait{3000};
constexpr std::chrono::milliseconds kWakeWait{2000};
constexpr std::chrono::milliseconds kWakePoll{20};

bool is_zero(const std::string& seconds) { return std::strtod(seconds.c_str(), nullptr) <= 0; }

}  // namespace

PgBouncerInstance::PgBouncerInstance(PoolerInstance settings, std::vector<std::string> aliases)
    : settings_(std::move(settings)), aliases_(std::move(aliases)), files_(settings_, aliases_) {}

PgBouncerConsole& PgBouncerInstance::control(Deadline deadline) {
  if (!control_ || !control_->is_open()) control_ = PgBouncerConsole::open(settings_.name, settings_.admin, deadline);
  return *control_;
}

void PgBouncerInstance::open_holders(Deadline deadline) {
  for (const auto& alias : aliases_) {
    const auto found = holders_.find(alias);
    if (found != holders_.end() && found->second.is_open()) continue;
    holders_.erase(alias);
    holders_.emplace(alias, PgBouncerConsole::open(settings_.name, settings_.admin, deadline));
  }
}

void PgBouncerInstance::identify_on(PgBouncerConsole& console, Deadline deadline) {
  config_ = console.config(deadline);
  process_ = identify_pooler(console, config_, files_.path());
  files_.read_relative_to(process_.cwd);
  is_identified_ = true;
}

void PgBouncerInstance::identify(Deadline deadline) {
  if (!is_identified_) on_control(deadline, [&](PgBouncerConsole& console) { identify_on(console, deadline); });
}

PoolerListening PgBouncerInstance::listening() const {
  const auto setting = [&](const char* key) {
    const auto found = config_.find(key);
    return found == config_.end() ? std::string{} : found->second;
  };
  return {settings_.name, process_.pid, setting("listen_port"), setting("listen_addr"), setting("so_reuseport") == "1"};
}

// All that can be asked without a RELOAD. Returns the file as it was read.
IniFile PgBouncerInstance::look(const Endpoint& current, std::chrono::milliseconds budget, Deadline deadline) {
  // B anew: one that lies since an earlier attempt may lead to a process that is gone.
  control_.reset();
  PgBouncerConsole& console = control(deadline);
  require_version(console, settings_.name, deadline);
  identify_on(console, deadline);
  require_running(console, settings_.name, aliases_, deadline);
  require_pool_mode(console, settings_.name, aliases_, config_, deadline);
  require_no_replication(console, settings_.name, aliases_, deadline);
  require_budget(settings_.name, config_, budget);
  IniFile ini = files_.read();
  files_.require_whole(ini);
  require_known_settings(settings_.name, ini, config_);
  for (const auto& alias : aliases_) {
    const Endpoint running = console.database(alias, deadline).target;
    if (!is_same_endpoint(running, current, config_) || !is_same_endpoint(ini.target(alias), running, config_))
      throw Refused("pooler.target",
                    "pooler " + settings_.name + ": database \"" + alias + "\" goes to " + endpoint_text(running) +
                        ", its file says " + endpoint_text(ini.target(alias)) + ", expected " + endpoint_text(current),
                    "Write the serving server into the file as verdigris names it, and run RELOAD.");
  }
  return ini;
}

void PgBouncerInstance::require_sound(const Endpoint& current, std::chrono::milliseconds budget, Deadline deadline) {
  refuse_unusable([&] { look(current, budget, deadline); });
}

void PgBouncerInstance::require_ready(const Endpoint& current, std::chrono::milliseconds budget, Deadline deadline) {
  refuse_unusable([&] {
    const IniFile ini = look(current, budget, deadline);
    require_noop_reload(control(deadline), settings_.name, ini, deadline);
    if (files_.is_adopted(ini) && !does_reload_fail_logins(config_))
      require_included_file_read(control(deadline), settings_.name, files_.included_name(), aliases_.front(), deadline);
    require_no_hanging_login(control(deadline), settings_.name, aliases_, deadline);
    holders_.clear();
    open_holders(deadline);
  });
}

void PgBouncerInstance::stage(const Endpoint& target, Deadline deadline) {
  identify(deadline);
  files_.stage(target);
}

void PgBouncerInstance::discard_staged() { files_.discard(); }

void PgBouncerInstance::require_unedited() { files_.require_unedited(); }

void PgBouncerInstance::send_pause(Deadline deadline) {
  has_paused_ = true;
  release_seen_.reset();
  open_holders(deadline);
  for (auto& [alias, console] : holders_) console.send_pause(alias, deadline);
}

void PgBouncerInstance::finish_pause(Deadline until) {
  const Deadline deadline = bounded("endless_pause", until);
  for (auto& [alias, console] : holders_) {
    std::string tag;
    try {
      nudge_until_answered(console, deadline);
      tag = console.receive_tag(deadline);
    } catch (const DeadlinePassed&) {
      fail_pause("transactions still run");
    }
    if (tag != "PAUSE" && !is_mutant("pause_unproven"))
      throw Error("pooler.pause-lies",
                  "pooler " + settings_.name + ": PAUSE of \"" + alias + "\" was answered with " + tag +
                      " while transactions may be open",
                  "Restart this PgBouncer: after a WAIT_CLOSE it no longer waits in PAUSE.");
    wait_until_empty(alias, deadline);
  }
}

// The process looks whether a pause is complete after each round of its event loop, so the last connection may have been
// closed for milliseconds before some client's message makes it look. Questions on the other console do.
void PgBouncerInstance::nudge_until_answered(PgBouncerConsole& holder, Deadline deadline) {
  while (!holder.has_tag() && !deadline.has_passed()) {
    control(deadline).pools(aliases_.front(), deadline);
    std::this_thread::sleep_for(kNudge);
  }
}

void PgBouncerInstance::wait_until_empty(const std::string& alias, Deadline deadline) {
  if (is_mutant("pause_unproven")) return;
  while (!control(deadline).sessions(alias, deadline).empty()) {
    if (deadline.has_passed()) fail_pause("server connections are left");
    std::this_thread::sleep_for(kPausePoll);
  }
}

// PAUSE of one alias waits for every other paused one, too: which of them is in the way, SHOW SERVERS says.
void PgBouncerInstance::fail_pause(const std::string& why) {
  std::string names;
  for (const auto& alias : aliases_) names += (names.empty() ? "\"" : ", \"") + alias + "\"";
  throw Error("pooler.pause-timeout", "pooler " + settings_.name + ": no pause of " + names + " in time, " + why + blockers(),
              "Let the transaction end or end it, then start again.");
}

std::string PgBouncerInstance::blockers() {
  std::string text;
  try {
    const Deadline soon = Deadline::after(kBlockerWait);
    for (const auto& alias : aliases_)
      for (const auto& session : control(soon).sessions(alias, soon)) {
        if (!is_busy(session.state)) continue;
        text += text.empty() ? ": " : ", ";
        text += (session.backend_pid == 0 ? "a login" : "backend " + std::to_string(session.backend_pid)) + " of " + session.user;
        if (aliases_.size() > 1) text += " at \"" + alias + "\"";
        if (!session.client.empty()) text += " for " + session.client;
        if (session.is_replication()) text += " (" + session.replication + " replication)";
      }
  } catch (const Error&) {
    return {};  // who blocks is a courtesy; that the pause failed is what counts
  }
  return text;
}

std::vector<std::string> PgBouncerInstance::paused_aliases(PgBouncerConsole& console, Deadline deadline) {
  std::vector<std::string> paused;
  for (const auto& alias : aliases_)
    if (console.database(alias, deadline).is_paused) paused.push_back(alias);
  return paused;
}

// Of the file, because a killed run may have left 0 in the process.
std::string PgBouncerInstance::configured_login_retry(PgBouncerConsole& console, Deadline deadline) {
  if (const auto found = config_.find(kLoginRetry); found != config_.end() && !is_zero(found->second)) return found->second;
  if (const std::string running = console.config(deadline)[kLoginRetry]; !is_zero(running)) return running;
  return setting_of_file(kLoginRetry, "15", deadline);
}

// Whether a killed run has left it at 0: right behind RESUME it is to be put back.
bool PgBouncerInstance::has_left_login_retry(PgBouncerConsole& console, Deadline deadline) {
  return is_zero(console.config(deadline)[kLoginRetry]) && !is_zero(setting_of_file(kLoginRetry, "15", deadline));
}

void PgBouncerInstance::release(PgBouncerConsole& console, const std::vector<std::string>& paused, Deadline deadline) {
  const std::string retry = configured_login_retry(console, deadline);
  // A login that fell into the pause blocks its pool for this long, 10 to 15 s by default (faults B8). After RELOAD,
  // which would undo it.
  const bool is_left = is_mutant("login_retry_kept") || is_mutant("login_retry_before_reload");
  if (!is_left) console.set(kLoginRetry, "0", deadline);
  int waiting = 0;
  for (const auto& alias : paused) waiting += console.pools(alias, deadline).waiting_clients;
  for (const auto& alias : paused) {
    try {
      console.resume(alias, deadline);
    } catch (const ServerError&) {
      if (console.database(alias, deadline).is_paused) throw;
    }
  }
  release_seen_ = Release{std::chrono::steady_clock::now(), waiting};
  crash_point("after:pooler-resume");
  auto still = paused_aliases(console, deadline);
  std::erase_if(still, [&](const auto& alias) { return std::ranges::find(paused, alias) == paused.end(); });
  console.set(kLoginRetry, retry, deadline);
  if (!still.empty())
    throw Error("pooler.still-paused",
                "pooler " + settings_.name + ": database \"" + still.front() + "\" is paused after RESUME",
                "Run RESUME " + still.front() + " on its console.");
}

int PgBouncerInstance::stranded(PgBouncerConsole& console, Deadline deadline) {
  int clients = 0;
  for (const auto& alias : aliases_) clients += console.pools(alias, deadline).stranded_clients;
  return clients;
}

// A process that came up in the pause forgot it: its logins met the fence, and clients would wait for login_retry.
// There is no RESUME to wake their pools, which look for themselves three times a second.
void PgBouncerInstance::wake(PgBouncerConsole& console, Deadline deadline) {
  if (stranded(console, deadline) == 0) return;
  const std::string retry = configured_login_retry(console, deadline);
  console.set(kLoginRetry, "0", deadline);
  const Deadline patience = Deadline::after(kWakeWait).or_earlier(deadline);
  while (stranded(console, deadline) > 0 && !patience.has_passed()) std::this_thread::sleep_for(kWakePoll);
  console.set(kLoginRetry, retry, deadline);
}

// What was killed is started again by its service manager; until then there is nobody to resume.
void PgBouncerInstance::wait_until_back(Deadline deadline) {
  const Deadline patience = Deadline::after(kRestartWait).or_earlier(deadline);
  for (;;) {
    try {
      control(deadline);
      return;
    } catch (const CannotConnect&) {
      if (patience.has_passed()) throw;
    }
    std::this_thread::sleep_for(kWakePoll);
  }
}

void PgBouncerInstance::resume(Deadline until, const std::optional<Endpoint>& but_for) {
  const Deadline deadline = bounded("endless_resume", until);
  has_paused_ = false;
  try {
    wait_until_back(deadline);
    on_control(deadline, [&](PgBouncerConsole& console) {
      auto paused = paused_aliases(console, deadline);
      const auto config = but_for ? console.config(deadline) : PoolerConfig{};
      if (but_for)
        std::erase_if(paused, [&](const auto& alias) { return is_same_endpoint(console.database(alias, deadline).target, *but_for, config); });
      if (!paused.empty()) return release(console, paused, deadline);
      wake(console, deadline);
      if (has_left_login_retry(console, deadline)) console.set(kLoginRetry, setting_of_file(kLoginRetry, "15", deadline), deadline);
    });
  } catch (...) {
    holders_.clear();
    throw;
  }
  holders_.clear();
}

bool PgBouncerInstance::runs_with(const Endpoint& target, Deadline deadline) {
  return on_control(deadline, [&](PgBouncerConsole& console) {
    for (const auto& alias : aliases_)
      if (!is_same_endpoint(console.database(alias, deadline).target, target, config_)) return false;
    return true;
  });
}

// The answer of RELOAD says nothing (faults B9): what runs is read.
bool PgBouncerInstance::reload_and_see(const Endpoint& target, Deadline deadline) {
  return on_control(deadline, [&](PgBouncerConsole& console) {
    try {
      if (is_mutant("login_retry_before_reload")) console.set(kLoginRetry, "0", deadline);
      console.reload(deadline);
    } catch (const ServerError& error) {
      reload_error_ = error.what();
    }
    return is_mutant("reload_trusted") || runs_with(target, deadline);
  });
}

// The second way in: the process reads its file when it has time to.
bool PgBouncerInstance::hang_up_and_see(const Endpoint& target, Deadline deadline) {
  if (process_.pid == 0 || ::kill(process_.pid, SIGHUP) != 0) return false;
  const Deadline patience = Deadline::after(kHangUpWait).or_earlier(deadline);
  while (!runs_with(target, deadline)) {
    if (patience.has_passed()) return false;
    std::this_thread::sleep_for(kPausePoll);
  }
  return true;
}

// Clients do not wait for the disk: a machine that crashes before this comes up with a plan that is still open.
void PgBouncerInstance::settle() { files_.settle(); }

// A new target makes a server login that is under way count as failed, and clients who come then are turned away. Under a
// pause there is none.
void PgBouncerInstance::let_logins_end(Deadline deadline) {
  const Deadline patience = Deadline::after(kLoginWait).or_earlier(deadline);
  const auto under_way = [&] {
    return on_control(deadline, [&](PgBouncerConsole& console) {
      return std::ranges::any_of(aliases_, [&](const auto& alias) { return console.pools(alias, deadline).logins_in_flight > 0; });
    });
  };
  while (under_way() && !patience.has_passed()) std::this_thread::sleep_for(kPausePoll);
}

void PgBouncerInstance::point_to(const Endpoint& target, Deadline deadline) {
  identify(deadline);
  reload_error_.clear();
  if (!files_.is_staged_for(target) && files_.holds(target) && runs_with(target, deadline)) return;
  if (!has_paused_) let_logins_end(deadline);
  files_.move(target);
  if (reload_and_see(target, deadline)) return;
  files_.move(target);  // the same bytes again, should somebody have been there in between
  if (reload_and_see(target, deadline)) return;
  if (hang_up_and_see(target, deadline)) return;
  throw Error("pooler.not-rerouted",
              "pooler " + settings_.name + ": RELOAD and SIGHUP did not lead it to " + endpoint_text(target) +
                  (reload_error_.empty() ? "" : ": " + reload_error_),
              "See the log of PgBouncer, correct its file, run RELOAD, then \"verdigris recover\".");
}

bool PgBouncerInstance::has_file_for(const Endpoint& target) { return files_.holds(target); }

bool PgBouncerInstance::has_moved(const Endpoint& target, Deadline deadline) {
  settle();  // whoever moved it may not have come so far
  return runs_with(target, deadline) && on_control(deadline, [&](PgBouncerConsole& console) {
    return paused_aliases(console, deadline).empty() && stranded(console, deadline) == 0 && !has_left_login_retry(console, deadline);
  });
}

std::vector<TrafficState> PgBouncerInstance::holds(Deadline deadline) {
  return on_control(deadline, [&](PgBouncerConsole& console) {
    std::vector<TrafficState> states;
    for (const auto& database : console.databases(deadline))
      if (std::ranges::find(aliases_, database.alias) != aliases_.end())
        states.push_back({"pooler " + settings_.name, database.alias, database.is_paused, database.target});
    if (states.size() != aliases_.size())
      throw Error("pooler.alias-gone", "pooler " + settings_.name + ": a database of the playbook is not known to the running process",
                  "Put its line back into PgBouncer's file and run RELOAD on the console.");
    return states;
  });
}

std::vector<TrafficState> PgBouncerInstance::state(Deadline deadline) {
  return on_control(deadline, [&](PgBouncerConsole& console) {
    std::vector<TrafficState> states;
    const std::string version = console.version(deadline), fault = known_fault_of(pgbouncer_version(version));
    for (const auto& alias : aliases_) {
      const auto database = console.database(alias, deadline);
      const auto counts = console.pools(alias, deadline);
      states.push_back({"pooler " + settings_.name, alias, database.is_paused, database.target, counts.waiting_clients,
                        counts.servers, fault.empty() ? "" : version + " " + fault});
    }
    return states;
  });
}

}  // namespace verdigris
