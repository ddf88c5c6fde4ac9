// What a PgBouncer console answers, as values. Columns are taken by name, because versions add and move some; one that a
// version lacks is empty. Recorded answers of several versions are read in tests/unit. Any thread.
#pragma once

#include <map>
#include <set>
#include <string>
#include <vector>

#include "controller/traffic.hpp"
#include "replication/result.hpp"

namespace verdigris {

struct PooledDatabase {
  std::string alias;
  Endpoint target;        // host empty: the directory of the pooler's own sockets
  std::string pool_mode;  // empty: the setting pool_mode
  bool is_paused = false;
  int pool_size = 0;     // of each pool
  bool is_disabled = false;
  std::string definition;  // every column that only a RELOAD may change, to compare two readings
};

// A server connection of the pooler, with the client that is linked to it.
struct PooledSession {
  std::string alias, user, state, application;
  int backend_pid = 0;
  bool is_to_be_closed = false;  // made before a RELOAD that led the database elsewhere, or a RECONNECT
  std::string link;    // the client's "ptr"; empty if none is linked
  std::string client;  // "app@10.0.0.7:5310 (worker)"; empty if none is linked
  std::string replication = {};  // from 1.23: none, logical or physical

  // Its client never ends a transaction, so PAUSE waits until it leaves (faults B15).
  bool is_replication() const { return !replication.empty() && replication != "none"; }
};

// A server connection, without whose it is.
struct PooledServer {
  std::string alias;
  int backend_pid = 0;   // 0 while it logs in
  bool is_busy = false;  // PAUSE would wait for it
  std::string login = {};  // names the login while it is under way; of two of one second it may be the same
  bool is_to_be_closed = false;  // as in PooledSession
};

struct PoolCounts {
  int clients = 0;          // logged in, waiting or not
  int waiting_clients = 0;
  int stranded_clients = 0;  // of these, at a pool without any server connection
  int logins_in_flight = 0;
  int servers = 0;
  int busy_servers = 0;  // of these, in a client's transaction, or being tested or logged in
  std::vector<std::string> modes;  // of the alias' pools, e.g. "transaction"
};

// One pool, that is the connections of one user to one alias.
struct PoolLoad {
  std::string alias, user;
  int servers = 0, busy_servers = 0;  // as in PoolCounts
  int waiting_clients = 0, logins_in_flight = 0;
  int longest_wait_ms = 0;            // of the clients that wait now
};

// Whether PAUSE waits for a server connection in this state of SHOW SERVERS.
bool is_busy(const std::string& server_state);
std::string version_in(const Result& show_version);
std::vector<PooledDatabase> databases_in(const Result& show_databases);
// Of one alias, still without client.
std::vector<PooledServer> servers_in(const Result& show_servers);
std::vector<PooledSession> sessions_in(const Result& show_servers, const std::string& alias);
void add_clients(std::vector<PooledSession>& sessions, const Result& show_clients);
PoolCounts pools_in(const Result& show_pools, const std::string& alias);
// Every pool but that of the consoles.
std::vector<PoolLoad> loads_in(const Result& show_pools);
// Of one alias. Connections made before it was led elsewhere do not count; loads are to be older than sessions.
Service service_in(const std::vector<PoolLoad>& loads, const std::vector<PooledSession>& sessions, const PooledDatabase& database);
std::map<std::string, std::string> config_in(const Result& show_config);
std::set<std::string> changeable_in(const Result& show_config);
// Whether all is paused or suspended, or about to end.
bool is_held_in(const Result& show_state);

// 11800 for "PgBouncer 1.18.0"; 0 if it cannot be read.
int pgbouncer_version(const std::string& text);
// What is known to be wrong with exactly this version, as a sentence without its subject; empty if nothing (faults B19).
std::string known_fault_of(int version);

}  // namespace verdigris
