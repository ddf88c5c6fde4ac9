#include "controller/pgbouncer_replies.hpp"

#include <algorithm>
#include <charconv>
#include <cstring>

namespace verdigris {
namespace {

constexpr const char* kLoggingIn = "new";  // of a server connection that logs in, which SHOW POOLS counts as sv_login

// An answer of the console; a column that this version lacks is empty.
class ReplyTable {
 public:
  explicit ReplyTable(const Result& result) : result_(result) {}
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
  const Result& result_;
};

std::string client_of(const ReplyTable& clients, const std::string& link) {
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

std::string version_in(const Result& show_version) {
  const ReplyTable table(show_version);
  return table.rows() == 1 ? table.text(0, "version") : std::string{};
}

std::vector<PooledDatabase> databases_in(const Result& show_databases) {
  const ReplyTable table(show_databases);
  std::vector<PooledDatabase> result;
  for (int row = 0; row < table.rows(); ++row) {
    PooledDatabase database;
    database.alias = table.text(row, "name");
    database.target = {table.text(row, "host"), table.text(row, "port"), table.text(row, "database")};
    database.pool_mode = table.text(row, "pool_mode");
    database.pool_size = table.number(row, "pool_size");
    database.is_paused = table.number(row, "paused") != 0;
    database.is_disabled = table.number(row, "disabled") != 0;
    database.definition = table.all_but(row, {"current_connections", "current_client_connections", "paused"});
    result.push_back(std::move(database));
  }
  return result;
}

bool is_busy(const std::string& server_state) {
  return server_state == "active" || server_state == "tested" || server_state == kLoggingIn;
}

std::vector<PooledServer> servers_in(const Result& show_servers) {
  const ReplyTable table(show_servers);
  std::vector<PooledServer> result;
  for (int row = 0; row < table.rows(); ++row) {
    const std::string state = table.text(row, "state");
    result.push_back({table.text(row, "database"), table.number(row, "remote_pid"), is_busy(state)});
    result.back().is_to_be_closed = table.number(row, "close_needed") != 0;
    // An address in memory, which the next one may get.
    if (state == kLoggingIn)
      result.back().login = table.text(row, "ptr") + " " + table.text(row, "connect_time") + " " + table.text(row, "local_port");
  }
  return result;
}

std::vector<PooledSession> sessions_in(const Result& show_servers, const std::string& alias) {
  const ReplyTable servers(show_servers);
  std::vector<PooledSession> result;
  for (int row = 0; row < servers.rows(); ++row) {
    if (servers.text(row, "database") != alias) continue;
    PooledSession session;
    session.alias = alias;
    session.user = servers.text(row, "user");
    session.state = servers.text(row, "state");
    session.application = servers.text(row, "application_name");
    session.backend_pid = servers.number(row, "remote_pid");
    session.is_to_be_closed = servers.number(row, "close_needed") != 0;
    session.link = servers.text(row, "link");
    session.replication = servers.text(row, "replication");
    result.push_back(std::move(session));
  }
  return result;
}

void add_clients(std::vector<PooledSession>& sessions, const Result& show_clients) {
  const ReplyTable clients(show_clients);
  for (auto& session : sessions)
    if (!session.link.empty()) session.client = client_of(clients, session.link);
}

std::vector<PoolLoad> loads_in(const Result& show_pools) {
  const ReplyTable table(show_pools);
  std::vector<PoolLoad> loads;
  for (int row = 0; row < table.rows(); ++row) {
    PoolLoad load{table.text(row, "database"), table.text(row, "user")};
    if (load.alias == "pgbouncer") continue;
    for (const char* column : {"sv_active", "sv_tested", "sv_login"}) load.busy_servers += table.number(row, column);
    load.waiting_clients = table.number(row, "cl_waiting");
    load.logins_in_flight = table.number(row, "sv_login");
    load.servers = load.busy_servers + table.number(row, "sv_idle") + table.number(row, "sv_used");
    load.longest_wait_ms = table.number(row, "maxwait") * 1000 + table.number(row, "maxwait_us") / 1000;
    loads.push_back(std::move(load));
  }
  return loads;
}

Service service_in(const std::vector<PoolLoad>& loads, const std::vector<PooledSession>& sessions, const PooledDatabase& database) {
  const auto count = [&](const PoolLoad& pool, bool is_old) {
    return std::ranges::count_if(sessions, [&](const PooledSession& session) {
      return session.alias == database.alias && session.user == pool.user && session.state != kLoggingIn &&
             session.is_to_be_closed == is_old;
    });
  };
  Service worst = Service::served;
  for (const auto& pool : loads) {
    if (pool.alias != database.alias || count(pool, false) > 0) continue;
    const bool is_full = count(pool, true) >= database.pool_size;  // none is made for those who wait until an old one ends
    const bool waits = pool.logins_in_flight > 0 || (pool.waiting_clients > 0 && !is_full);
    worst = std::max(worst, waits ? Service::waiting : Service::unasked);
  }
  return worst;
}

PoolCounts pools_in(const Result& show_pools, const std::string& alias) {
  const ReplyTable table(show_pools);
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

std::map<std::string, std::string> config_in(const Result& show_config) {
  const ReplyTable table(show_config);
  std::map<std::string, std::string> result;
  for (int row = 0; row < table.rows(); ++row) result[table.text(row, "key")] = table.text(row, "value");
  return result;
}

std::set<std::string> changeable_in(const Result& show_config) {
  const ReplyTable table(show_config);
  std::set<std::string> result;
  for (int row = 0; row < table.rows(); ++row)
    if (table.text(row, "changeable") == "yes") result.insert(table.text(row, "key"));
  return result;
}

bool is_held_in(const Result& show_state) {
  const ReplyTable table(show_state);
  for (int row = 0; row < table.rows(); ++row)
    if (table.text(row, "key") != "active" && table.text(row, "value") == "yes") return true;
  return false;
}

std::string known_fault_of(int version) {
  if (version == 11800) return "may end clients with \"bad client state\"";
  if (version == 12300) return "may crash after RELOAD";
  return {};
}

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

}  // namespace verdigris
