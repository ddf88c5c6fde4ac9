// What must be true of a PgBouncer process before its clients may be held: asked outside the pause, where a refusal
// costs nobody anything (operator.md 8.4 row 0). Each throws Refused with an id of its own. name is how messages call
// it.
#pragma once

#include <chrono>
#include <map>
#include <string>
#include <vector>

#include "controller/ini_file.hpp"
#include "controller/pgbouncer_console.hpp"
#include "replication/errors.hpp"

namespace verdigris {

using PoolerConfig = std::map<std::string, std::string>;  // SHOW CONFIG

// Runs act; what cannot be reached is Refused "pooler.unreachable", and a file that cannot be used Refused "pooler.file".
template <class Act>
void refuse_unusable(Act act) {
  try {
    act();
  } catch (const CannotConnect& error) {
    throw Refused("pooler.unreachable", error.what(), "Start PgBouncer, or correct admin in the playbook.");
  } catch (const Error& error) {
    if (error.id() != "pooler.file") throw;
    throw Refused(error.id(), error.what(), error.hint());
  }
}

// "pooler.not-pgbouncer", "pooler.version" below 1.18.
void require_version(PgBouncerConsole& console, const std::string& name, Deadline deadline);
// "pooler.paused", "pooler.disabled", "pooler.alias-absent".
void require_running(PgBouncerConsole& console, const std::string& name, const std::vector<std::string>& aliases,
                     Deadline deadline);
// "pooler.session-pool": PAUSE would wait until clients leave (faults B3).
void require_pool_mode(PgBouncerConsole& console, const std::string& name, const std::vector<std::string>& aliases,
                       const PoolerConfig& config, Deadline deadline);
// "pooler.budget": these run on while clients wait (faults B11).
void require_budget(const std::string& name, const PoolerConfig& config, std::chrono::milliseconds budget);
// "pooler.login-in-flight": one that does not end would be in the way of PAUSE (faults B8). Waits for up to 1.4 s until
// there is none; that there is always another one is no reason to refuse.
void require_no_hanging_login(PgBouncerConsole& console, const std::string& name, const std::vector<std::string>& aliases,
                              Deadline deadline);
// "pooler.replication": such a connection is in the way of every PAUSE until its client leaves (faults B15).
void require_no_replication(PgBouncerConsole& console, const std::string& name, const std::vector<std::string>& aliases,
                            Deadline deadline);
// "pooler.unknown-setting": PgBouncer stops reading its file there, whatever RELOAD answers.
void require_known_settings(const std::string& name, const IniFile& file, const PoolerConfig& config);
// With TLS to its servers a process makes every server connection anew at each RELOAD, and a login that is under way then
// counts as failed: a pool that has no other connection turns its clients away. There RELOAD waits for the pause.
bool does_reload_fail_logins(const PoolerConfig& config);
// What can be seen of it without RELOAD: "pooler.stale-config"; "pooler.console-rights".
void require_file_as_it_runs(PgBouncerConsole& console, const std::string& name, const IniFile& file, Deadline deadline);
// RELOAD must change nothing, else what runs is not what the file says: "pooler.stale-config"; "pooler.console-rights". Where
// RELOAD does harm it is left out: require_file_as_it_runs().
void require_noop_reload(PgBouncerConsole& console, const std::string& name, const IniFile& file, Deadline deadline);

// Hosts are compared as text; a directory of sockets with or without its last slash. An empty host (the entry of the
// pooler has none) means the directory of its own sockets.
bool is_same_endpoint(const Endpoint& running, const Endpoint& wanted, const PoolerConfig& config);
std::string endpoint_text(const Endpoint& endpoint);  // "db1:5432/orders"

}  // namespace verdigris
