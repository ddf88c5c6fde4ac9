#include "controller/pgbouncer_console.hpp"

namespace verdigris {

Sql reload_command() { return Sql("RELOAD"); }
Sql set_command(const std::string& setting, const std::string& value) {
  return Sql("SET {} = {}", Identifier(setting), Literal(value));
}
Sql pause_command(const std::string& alias) { return Sql("PAUSE {}", Identifier(alias)); }
Sql resume_command(const std::string& alias) { return Sql("RESUME {}", Identifier(alias)); }

PgBouncerConsole PgBouncerConsole::open(const std::string& name, const Conninfo& admin, Deadline deadline) {
  SessionOptions options;
  options.server = "pooler " + name;
  options.application_name = "verdigris";
  return PgBouncerConsole(Connection::open_plain(admin, options, deadline));
}

std::string PgBouncerConsole::version(Deadline deadline) {
  return version_in(connection_.query(Sql("SHOW VERSION"), deadline));
}

std::vector<PooledDatabase> PgBouncerConsole::databases(Deadline deadline) {
  return databases_in(connection_.query(Sql("SHOW DATABASES"), deadline));
}

PooledDatabase PgBouncerConsole::database(const std::string& alias, Deadline deadline) {
  for (auto& database : databases(deadline))
    if (database.alias == alias) return database;
  throw Error("pooler.alias-gone",
              connection_.server() + ": database \"" + alias + "\" is not known to the running process",
              "Put its line back into PgBouncer's file and run RELOAD on the console.");
}

std::vector<PooledServer> PgBouncerConsole::servers(Deadline deadline) {
  return servers_in(connection_.query(Sql("SHOW SERVERS"), deadline));
}

std::vector<PooledSession> PgBouncerConsole::sessions(const std::string& alias, Deadline deadline) {
  auto result = sessions_in(connection_.query(Sql("SHOW SERVERS"), deadline), alias);
  if (!result.empty()) add_clients(result, connection_.query(Sql("SHOW CLIENTS"), deadline));
  return result;
}

PoolCounts PgBouncerConsole::pools(const std::string& alias, Deadline deadline) {
  return pools_in(connection_.query(Sql("SHOW POOLS"), deadline), alias);
}

std::vector<PoolLoad> PgBouncerConsole::loads(Deadline deadline) {
  return loads_in(connection_.query(Sql("SHOW POOLS"), deadline));
}

std::map<std::string, std::string> PgBouncerConsole::config(Deadline deadline) {
  return config_in(connection_.query(Sql("SHOW CONFIG"), deadline));
}

std::set<std::string> PgBouncerConsole::changeable_settings(Deadline deadline) {
  return changeable_in(connection_.query(Sql("SHOW CONFIG"), deadline));
}

bool PgBouncerConsole::is_globally_held(Deadline deadline) {
  // 1.18 has no SHOW STATE; there PAUSE itself is refused under a global pause (faults B1).
  if (pgbouncer_version(version(deadline)) < 11900) return false;
  return is_held_in(connection_.query(Sql("SHOW STATE"), deadline));
}

void PgBouncerConsole::reload(Deadline deadline) {
  connection_.execute(reload_command(), deadline);
}

void PgBouncerConsole::set(const std::string& setting, const std::string& value, Deadline deadline) {
  connection_.execute(set_command(setting, value), deadline);
}

void PgBouncerConsole::resume(const std::string& alias, Deadline deadline) {
  connection_.execute(resume_command(alias), deadline);
}

void PgBouncerConsole::send_pause(const std::string& alias, Deadline deadline) {
  connection_.send(pause_command(alias), deadline);
}

std::string PgBouncerConsole::receive_tag(Deadline deadline) {
  return connection_.receive(deadline).command_tag();
}

}  // namespace verdigris
