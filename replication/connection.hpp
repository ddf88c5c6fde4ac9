// One session with one server. Owned by one thread at a time; moves, does not copy. Every call that may block takes a
// Deadline; when it passes the session is closed and never used again, because its late answer would meet the next
// question. Session settings are pinned (cutover.md, "Objects"): search_path=pg_catalog,pg_temp, UTF8 (bytes as they are where
// the database is SQL_ASCII), no time-outs of roles or databases, keepalives that free a dead host's locks in about six
// seconds, no event triggers where they can be switched off (17).
#pragma once

#include <libpq-fe.h>

#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "replication/conninfo.hpp"
#include "replication/deadline.hpp"
#include "replication/errors.hpp"
#include "replication/result.hpp"
#include "replication/sql.hpp"

namespace verdigris {

// Values for $1, $2, ...; sent as text, the server infers the types.
using Params = std::vector<std::optional<std::string>>;

// '{"a","b"}' for a text[] parameter.
std::string text_array(const std::vector<std::string>& values);

struct SessionOptions {
  std::string server;                              // for messages: "blue", "green", "pooler a"
  std::string application_name;                    // verdigris/<deployment>/<role>
  bool read_only = false;                          // default_transaction_read_only
  std::vector<std::pair<std::string, std::string>> settings;  // more settings for the session, set at login
};

// When a commit is on disk: with itself, or with the next synchronous one of that server.
enum class Flush { at_once, later };

class Connection {
 public:
  // Throws CannotConnect (with the SQLSTATE where a server answered) or DeadlinePassed.
  static Connection open(const Conninfo& conninfo, const SessionOptions& options, Deadline deadline);
  // As open(), without our session settings: for PgBouncer's console, which knows none, and for replication sessions.
  static Connection open_plain(const Conninfo& conninfo, const SessionOptions& options, Deadline deadline);

  // Throws ServerError, ConnectionLost or DeadlinePassed. Without parameters the simple protocol is used, so several
  // statements separated by semicolons are one implicit transaction; the last result is returned.
  Result query(const Sql& sql, Deadline deadline);
  Result query(const Sql& sql, const Params& params, Deadline deadline);
  void execute(const Sql& sql, Deadline deadline) { query(sql, deadline); }

  // As query(), but parsed once in this session, which costs a round trip of its own the first time: for what is asked
  // again where every millisecond is waited for. Only for statements whose result keeps its columns.
  Result query_prepared(const Sql& sql, const Params& params, Deadline deadline);

  // A transaction of its own in one round trip, judged as Transaction::commit() judges. Several statements without
  // parameters are one transaction, too: SET LOCAL and LOCK TABLE work in it.
  Result commit_alone(const Sql& sql, Deadline deadline);
  Result commit_alone(const Sql& sql, const Params& params, Deadline deadline);
  Result commit_prepared(const Sql& sql, const Params& params, Deadline deadline);

  // The halves of query(): send on several connections, then collect from each. One question under way at a time.
  void send(const Sql& sql, Deadline deadline);
  void send(const Sql& sql, const Params& params, Deadline deadline);
  Result receive(Deadline deadline);
  void send_prepared(const Sql& sql, const Params& params, Deadline deadline);
  // Whether receive() has something to return already; waits for nothing.
  bool has_answer();

  bool is_open() const { return static_cast<bool>(connection_); }
  void close() { connection_.reset(); }
  const std::string& server() const { return server_; }
  int server_version() const { return PQserverVersion(connection_.get()); }  // 150020
  int major() const { return server_version() / 10000; }
  int backend_pid() const { return PQbackendPID(connection_.get()); }
  // Resolved by libpq: what service= and defaults led to.
  std::string host() const { return PQhost(connection_.get()); }
  std::string port() const { return PQport(connection_.get()); }
  std::string dbname() const { return PQdb(connection_.get()); }
  std::string user() const { return PQuser(connection_.get()); }
  // Warnings and notices since the last call, oldest first.
  std::vector<std::string> take_notices();
  // For COPY relays and pollers; stays owned here.
  PGconn* native() const { return connection_.get(); }

 private:
  struct Notices;
  Connection(PGconn* owned, std::string server);
  void wait_readable(Deadline deadline, const char* during);
  void flush(Deadline deadline);
  void require_open() const;
  const std::string& prepared(const Sql& sql, Deadline deadline);
  [[noreturn]] void fail_lost();
  template <class Act>
  Result committed(Act act);
  friend class Transaction;

  std::string server_;
  std::unique_ptr<std::vector<std::string>> notices_;
  std::map<std::string, std::string> prepared_;  // names of statements, by their text
  std::unique_ptr<PGconn, decltype(&PQfinish)> connection_;
};

// BEGIN ... COMMIT on a connection. Rolls back when destroyed without commit(); a failure to do so closes the session.
class Transaction {
 public:
  enum class Mode { read_write, repeatable_read_only };
  Transaction(Connection& connection, Deadline deadline, Mode mode = Mode::read_write);
  ~Transaction();
  Transaction(const Transaction&) = delete;
  Transaction& operator=(const Transaction&) = delete;

  Result query(const Sql& sql) { return connection_.query(sql, deadline_); }
  Result query(const Sql& sql, const Params& params) { return connection_.query(sql, params, deadline_); }
  void execute(const Sql& sql) { connection_.query(sql, deadline_); }
  // Throws OutcomeUnknown if the session was lost, the deadline passed or a WARNING came (a cancelled wait for a
  // synchronous standby says WARNING and commits locally); ServerError if the server refused and rolled back.
  void commit();
  Connection& connection() { return connection_; }
  Deadline deadline() const { return deadline_; }

 private:
  Connection& connection_;
  Deadline deadline_;
  bool is_open_ = false;
};

}  // namespace verdigris
