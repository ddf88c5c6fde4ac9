#include "controller/pgbouncer_console.hpp"

#include <algorithm>
#include <charconv>
#include <cstring>

namespace verdigris {
namespace {

// An answer of the console; a column that this version lacks is empty.
class Table {
 public:
  explicit Table(Result result) : result_(std::move(result)) {}
  int rows() const { return PQntuples(result_.native()); }
  std::string text(int row, const char* column) const {
    const int index = PQfnumber(result_.native(), column);
    return index < 0 ? std::string{} : std::string(PQgetvalue(result_.native(), row, index));
  }
  int number(int row, const char* column) const {
    const std::string value = text(row, column);
    int result = 0;
    std::from_chars(value.data(), value.data() + value.size(), result);
    return result;
  }
  // Every column but those named, "name=value" in one line.
  std::string all_but(int row, std::initializer_list<std::string_view> left_out) const {
    std::string out;
    for (int column = 0; column < PQnfields(result_.native()); ++column) {
      const std::string_view name = PQfname(result_.native(), column);
      if (std::find(left_out.begin(), left_out.end(), name) != left_out.end()) continue;
      out.append(name).append("=").append(PQgetvalue(result_.native(), row, column)).append(" ");
    }
    return out;
  }

 private:
  Result result_;
};

std::string client_of(const Table& clients, const std::string& link) {
  for (int row = 0; row < clients.rows(); ++row) {
    if (clients.text(row, "ptr") != link) continue;
    const std::string address = clients.text(row, "addr");
    std::string text = clients.text(row, "user");
    // A client on the unix socket has a pid, and for a port the pooler's own.
    text +=
        address == "unix" ? " pid " + clients.text(row, "remote_pid") : "@" + address + ":" + clients.text(row, "port");
    if (const auto name = clients.text(row, "application_name"); !name.empty()) text += " (" + name + ")";
    return text;
  }
  return {};
}

}  // namespace

Sql reload_command() { return Sql("RELOAD"); }
Sql set_command(const std::string& setting, const std::string& value) {
  return Sql("SET {} = {}", Identifier(setting), Literal(value));
}
Sql pause_command(const std::string& alias) { return Sql("PAUSE {}", Identifier(alias)); }
Sql resume_command(const std::string& alias) { return Sql("RESUME {}", Identifier(alias)); }

int pgbouncer_version(const std::string& text) {
  int parts[3] = {0, 0, 0};
  const char* at = std::strpbrk(text.c_str(), "0123456789");
  const char* const end = text.c_str() + text.size();
  if (at == nullptr) return 0;
  for (int& part : parts) {
    const auto [next, error] = std::from_chars(at, end, part);
    if (error != std::errc{}) break;
    if (next == end || *next != '.') break;
    at = next + 1;
  }
  return parts[0] * 10000 + parts[1] * 100 + parts[2];
}

PgBouncerConsole PgBouncerConsole::open(const std::string& name, const Conninfo& admin, Deadline deadline) {
  SessionOptions options;
  options.server = "pooler " + name;
  options.application_name = "verdigris";
  return PgBouncerConsole(Connection::open_plain(admin, options, deadline));
}

std::string PgBouncerConsole::version(Deadline deadline) {
  const Table table(connection_.query(Sql("SHOW VERSION"), deadline));
  return table.rows() == 1 ? table.text(0, "version") : std::string{};
}

std::vector<PooledDatabase> PgBouncerConsole::databases(Deadline deadline) {
  const Table table(connection_.query(Sql("SHOW DATABASES"), deadline));
  std::vector<PooledDatabase> result;
  for (int row = 0; row < table.rows(); ++row) {
    PooledDatabase database;
    database.alias = table.text(row, "name");
    database.target = {table.text(row, "host"), table.text(row, "port"), table.text(row, "database")};
    database.pool_mode = table.text(row, "pool_mode");
    database.is_paused = table.number(row, "paused") != 0;
    database.is_disabled = table.number(row, "disabled") != 0;
    database.definition = table.all_but(row, {"current_connections", "current_client_connections", "paused"});
    result.push_back(std::move(database));
  }
  return result;
}

PooledDatabase PgBouncerConsole::database(const std::string& alias, Deadline deadline) {
  for (auto& database : databases(deadline))
    if (database.alias == alias) return database;
  throw Error("pooler.alias-gone",
              connection_.server() + ": database \"" + alias + "\" is not known to the running process",
              "Put its line back into PgBouncer's file and run RELOAD on the console.");
}

std::vector<PooledSession> PgBouncerConsole::sessions(const std::string& alias, Deadline deadline) {
  const Table servers(connection_.query(Sql("SHOW SERVERS"), deadline));
  std::vector<PooledSession> result;
  std::vector<std::string> links;
  for (int row = 0; row < servers.rows(); ++row) {
    if (servers.text(row, "database") != alias) continue;
    PooledSession session;
    session.alias = alias;
    session.user = servers.text(row, "user");
    session.state = servers.text(row, "state");
    session.application = servers.text(row, "application_name");
    session.backend_pid = servers.number(row, "remote_pid");
    links.push_back(servers.text(row, "link"));
    result.push_back(std::move(session));
  }
  if (result.empty()) return result;
  const Table clients(connection_.query(Sql("SHOW CLIENTS"), deadline));
  for (std::size_t i = 0; i < result.size(); ++i)
    if (!links[i].empty()) result[i].client = client_of(clients, links[i]);
  return result;
}

PoolCounts PgBouncerConsole::pools(const std::string& alias, Deadline deadline) {
  const Table table(connection_.query(Sql("SHOW POOLS"), deadline));
  PoolCounts counts;
  for (int row = 0; row < table.rows(); ++row) {
    if (table.text(row, "database") != alias) continue;
    counts.waiting_clients += table.number(row, "cl_waiting");
    counts.clients += table.number(row, "cl_active") + table.number(row, "cl_waiting");
    counts.logins_in_flight += table.number(row, "sv_login");
    int servers = 0;
    for (const char* column : {"sv_active", "sv_idle", "sv_used", "sv_tested", "sv_login"})
      servers += table.number(row, column);
    counts.servers += servers;
    for (const char* column : {"sv_active", "sv_tested", "sv_login"}) counts.busy_servers += table.number(row, column);
    if (servers == 0) counts.stranded_clients += table.number(row, "cl_waiting");
    counts.modes.push_back(table.text(row, "pool_mode"));
  }
  return counts;
}

std::map<std::string, std::string> PgBouncerConsole::config(Deadline deadline) {
  const Table table(connection_.query(Sql("SHOW CONFIG"), deadline));
  std::map<std::string, std::string> result;
  for (int row = 0; row < table.rows(); ++row) result[table.text(row, "key")] = table.text(row, "value");
  return result;
}

bool PgBouncerConsole::is_globally_held(Deadline deadline) {
  // 1.18 has no SHOW STATE; there PAUSE itself is refused under a global pause (faults B1).
  if (pgbouncer_version(version(deadline)) < 11900) return false;
  const Table table(connection_.query(Sql("SHOW STATE"), deadline));
  for (int row = 0; row < table.rows(); ++row)
    if (table.text(row, "key") != "active" && table.text(row, "value") == "yes") return true;
  return false;
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
