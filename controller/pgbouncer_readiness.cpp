#include "controller/pgbouncer_readiness.hpp"

#include <algorithm>
#include <cmath>
#include <cstdlib>
#include <map>
#include <thread>

#include "controller/ini_adoption.hpp"
#include "replication/errors.hpp"

namespace verdigris {
namespace {

constexpr int kOldestVersion = 11800;
// Logins of one second may bear one name: a succession of short ones is none that lasts longer.
constexpr std::chrono::milliseconds kHanging{1200};
constexpr std::chrono::milliseconds kReadinessWait{1400};
constexpr std::chrono::milliseconds kReadinessPoll{5};

std::string value_of(const PoolerConfig& config, const std::string& key) {
  const auto found = config.find(key);
  return found == config.end() ? std::string{} : found->second;
}

// Of a probe that was interrupted: it comes and goes with the next one.
bool is_probe(const std::string& alias) { return alias.starts_with(kProbePrefix); }

bool has_wildcard(const IniFile& file) {
  return std::any_of(file.entries().begin(), file.entries().end(),
                     [](const IniEntry& entry) { return entry.section == "databases" && entry.key == "*"; });
}

[[noreturn]] void refuse_stale(const std::string& name, const std::string& what) {
  throw Refused("pooler.stale-config", "pooler " + name + ": the running process and its file differ: " + what,
                "Correct the file, run RELOAD, compare SHOW DATABASES and SHOW CONFIG, then start again.");
}

void refuse_rights(const ServerError& error) {
  if (std::string_view(error.what()).find("admin access") != std::string_view::npos)
    throw Refused("pooler.console-rights", error.what(), "Let admin name a user of admin_users, not of stats_users.");
}

// SHOW CONFIG writes a number in its own way.
std::string plain_value(const std::string& text) {
  char* end = nullptr;
  const double number = std::strtod(text.c_str(), &end);
  return text.empty() || *end != '\0' ? text : std::to_string(number);
}

// Databases that "*" made on demand come and go by themselves: with it only those known before and after count.
void require_same_databases(const std::string& name, const IniFile& file, const std::vector<PooledDatabase>& before,
                            const std::vector<PooledDatabase>& after) {
  const auto find = [](const std::vector<PooledDatabase>& list, const std::string& alias) {
    return std::find_if(list.begin(), list.end(), [&](const auto& database) { return database.alias == alias; });
  };
  const bool is_open_list = has_wildcard(file);
  for (const auto& database : before) {
    if (is_probe(database.alias)) continue;
    const auto now = find(after, database.alias);
    if (now == after.end() && !is_open_list) refuse_stale(name, "RELOAD removed database \"" + database.alias + "\"");
    if (now != after.end() && now->definition != database.definition)
      refuse_stale(name, "RELOAD changed database \"" + database.alias + "\"");
  }
  for (const auto& database : after)
    if (!is_open_list && !is_probe(database.alias) && find(before, database.alias) == before.end())
      refuse_stale(name, "RELOAD added database \"" + database.alias + "\"");
  // PgBouncer keeps quiet about a line it cannot read and goes on with what it had.
  for (const auto& entry : file.entries())
    if (entry.section == "databases" && entry.key != "*" && !is_probe(entry.key) && find(after, entry.key) == after.end())
      refuse_stale(name, "database \"" + entry.key + "\" of the file is unknown to it, also after RELOAD");
}

void require_same_config(const std::string& name, const PoolerConfig& before, const PoolerConfig& after) {
  for (const auto& [key, value] : before) {
    // A run of ours that was killed may have left it at 0; RELOAD puts it right.
    if (key == "server_login_retry") continue;
    if (const std::string now = value_of(after, key); now != value)
      refuse_stale(name, "RELOAD changed " + key + " from \"" + value + "\" to \"" + now + "\"");
  }
}

std::string without_last_slash(std::string host) {
  while (host.size() > 1 && host.front() == '/' && host.back() == '/') host.pop_back();
  return host;
}

}  // namespace

void require_version(PgBouncerConsole& console, const std::string& name, Deadline deadline) {
  std::string text;
  try {
    text = console.version(deadline);
  } catch (const ServerError& error) {
    text = error.what();
  }
  if (!text.starts_with("PgBouncer"))
    throw Refused("pooler.not-pgbouncer", "pooler " + name + ": no PgBouncer console answers: " + text,
                  "Let admin name the console: dbname=pgbouncer and a user of admin_users.");
  if (pgbouncer_version(text) < kOldestVersion)
    throw Refused("pooler.version", "pooler " + name + ": " + text + " is older than 1.18", "Upgrade PgBouncer.");
}

void require_running(PgBouncerConsole& console, const std::string& name, const std::vector<std::string>& aliases,
                     Deadline deadline) {
  const std::string who = "pooler " + name + ": ";
  if (console.is_globally_held(deadline))
    throw Refused("pooler.paused", who + "the process is paused or suspended as a whole", "Run RESUME on its console.");
  const auto databases = console.databases(deadline);
  for (const auto& alias : aliases) {
    const auto found =
        std::find_if(databases.begin(), databases.end(), [&](const auto& d) { return d.alias == alias; });
    if (found == databases.end())
      throw Refused("pooler.alias-absent", who + "database \"" + alias + "\" is unknown to the running process",
                    "Correct pooler.databases in the playbook, or define the database and run RELOAD.");
    if (found->is_paused)
      throw Refused("pooler.paused", who + "database \"" + alias + "\" is paused already",
                    "Find out who paused it; \"verdigris recover\" resumes what a run of ours left behind.");
    if (found->is_disabled)
      throw Refused("pooler.disabled", who + "database \"" + alias + "\" is disabled", "Run ENABLE on its console.");
  }
}

void require_pool_mode(PgBouncerConsole& console, const std::string& name, const std::vector<std::string>& aliases,
                       const PoolerConfig& config, Deadline deadline) {
  for (const auto& alias : aliases) {
    auto modes = console.pools(alias, deadline).modes;  // a user's own mode shows only here
    const std::string own = console.database(alias, deadline).pool_mode;
    modes.push_back(own.empty() ? value_of(config, "pool_mode") : own);
    for (const auto& mode : modes)
      if (mode != "transaction" && mode != "statement")
        throw Refused("pooler.session-pool",
                      "pooler " + name + ": database \"" + alias + "\" has pool_mode \"" + mode + "\"",
                      "Set pool_mode to transaction: in session mode a pause waits until each client disconnects.");
  }
}

void require_budget(const std::string& name, const PoolerConfig& config, std::chrono::milliseconds budget) {
  for (const char* key : {"query_wait_timeout", "query_timeout", "client_login_timeout"}) {
    const std::string text = value_of(config, key);
    const double seconds = std::strtod(text.c_str(), nullptr);
    const double most = std::chrono::duration<double>(budget).count();
    if (seconds <= 0 || most < seconds) continue;
    throw Refused("pooler.budget",
                  "pooler " + name + ": the pause may take " + std::to_string(budget.count()) + " ms, " + key +
                      " ends clients after " + std::to_string(std::llround(seconds * 1000)) + " ms",
                  "Lower cutover.max_pause or raise " + std::string(key) + " in PgBouncer's file.");
  }
}

// Where logins are slow or many there is always one under way; it is another each time, and PAUSE waits for each.
void require_no_hanging_login(PgBouncerConsole& console, const std::string& name, const std::vector<std::string>& aliases,
                              Deadline deadline) {
  std::map<std::string, Deadline::Clock::time_point> begun;
  for (const Deadline patience = Deadline::after(kReadinessWait).or_earlier(deadline);;) {
    std::map<std::string, Deadline::Clock::time_point> under_way;
    const auto now = Deadline::Clock::now();
    for (const auto& server : console.servers(deadline)) {
      if (server.login.empty() || std::ranges::find(aliases, server.alias) == aliases.end()) continue;
      const auto known = begun.find(server.login);
      const auto since = known == begun.end() ? now : known->second;
      if (now - since >= kHanging)
        throw Refused("pooler.login-in-flight",
                      "pooler " + name + ": database \"" + server.alias + "\" has a server login under way that does not end",
                      "See SHOW SERVERS (state new) and the log of PgBouncer, then start again.");
      under_way.emplace(server.login, since);
    }
    if (under_way.empty() || patience.has_passed()) return;
    begun = std::move(under_way);
    std::this_thread::sleep_for(kReadinessPoll);
  }
}

void require_no_replication(PgBouncerConsole& console, const std::string& name, const std::vector<std::string>& aliases,
                            Deadline deadline) {
  for (const auto& alias : aliases)
    for (const auto& session : console.sessions(alias, deadline))
      if (session.is_replication())
        throw Refused("pooler.replication",
                      "pooler " + name + ": database \"" + alias + "\" has a " + session.replication + " replication connection, backend " +
                          std::to_string(session.backend_pid) + " of " + session.user +
                          (session.client.empty() ? "" : " for " + session.client) + ": no pause comes about while it is there",
                      "Let it connect to the server itself, past the pooler.");
}

void require_known_settings(const std::string& name, const IniFile& file, const PoolerConfig& config) {
  for (const auto& entry : file.entries())
    if (entry.section == "pgbouncer" && !config.contains(entry.key))
      throw Refused("pooler.unknown-setting",
                    "pooler " + name + ": " + entry.file + ":" + std::to_string(entry.line) + ": \"" + entry.key +
                        "\" is not a setting of this version",
                    "Remove the line: PgBouncer stops reading its file there, although RELOAD reports success.");
}

bool does_reload_fail_logins(const PoolerConfig& config) {
  const auto mode = value_of(config, "server_tls_sslmode");
  return !mode.empty() && mode != "disable";
}

void require_file_as_it_runs(PgBouncerConsole& console, const std::string& name, const IniFile& file, Deadline deadline) {
  const auto config = console.config(deadline);
  const auto databases = console.databases(deadline);
  const auto changeable = console.changeable_settings(deadline);
  const auto place = [](const IniEntry& entry) { return entry.file + ":" + std::to_string(entry.line) + ": "; };
  std::map<std::string, const IniEntry*> settings;  // of one that is there twice the last one counts
  for (const auto& entry : file.entries()) {
    if (entry.section == "pgbouncer") settings[entry.key] = &entry;
    if (entry.section != "databases" || entry.key == "*" || is_probe(entry.key)) continue;
    if (std::ranges::find(databases, entry.key, &PooledDatabase::alias) == databases.end())
      refuse_stale(name, place(entry) + "database \"" + entry.key + "\" is unknown to the process");
  }
  for (const auto& [key, entry] : settings) {
    if (key == kLoginRetry || !changeable.contains(key)) continue;  // a killed run of ours may have left that one at 0
    if (const auto running = value_of(config, key); plain_value(running) != plain_value(entry->value))
      refuse_stale(name, place(*entry) + key + " is \"" + entry->value + "\" in the file and \"" + running + "\" in the process");
  }
  try {
    console.set(kLoginRetry, value_of(config, kLoginRetry), deadline);
  } catch (const ServerError& error) {
    refuse_rights(error);
    throw;
  }
}

void require_noop_reload(PgBouncerConsole& console, const std::string& name, const IniFile& file, Deadline deadline) {
  const auto databases = console.databases(deadline);
  const auto config = console.config(deadline);
  if (does_reload_fail_logins(config)) return require_file_as_it_runs(console, name, file, deadline);
  try {
    console.reload(deadline);
  } catch (const ServerError& error) {
    refuse_rights(error);
    refuse_stale(name, error.what());
  }
  require_same_databases(name, file, databases, console.databases(deadline));
  require_same_config(name, config, console.config(deadline));
}

bool is_same_endpoint(const Endpoint& running, const Endpoint& wanted, const PoolerConfig& config) {
  const auto host = [&](const Endpoint& endpoint) {
    return without_last_slash(endpoint.host.empty() ? value_of(config, "unix_socket_dir") : endpoint.host);
  };
  return host(running) == host(wanted) && running.port == wanted.port && running.dbname == wanted.dbname;
}

std::string endpoint_text(const Endpoint& endpoint) {
  return endpoint.host + ":" + endpoint.port + "/" + endpoint.dbname;
}

}  // namespace verdigris
