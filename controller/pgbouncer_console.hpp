// One session with the admin console of one PgBouncer process. Speaks the simple protocol only; columns are taken by
// name, because versions add some. A console that waits in PAUSE answers nothing else: RESUME goes to a second one, and
// the first is closed, since its PAUSE would never answer (PgBouncer issue 715). Owned by one thread at a time.
#pragma once

#include <map>
#include <set>
#include <string>
#include <vector>

#include "controller/pgbouncer_replies.hpp"
#include "replication/connection.hpp"

namespace verdigris {

inline constexpr const char* kLoginRetry = "server_login_retry";

// What is said on a console.
Sql reload_command();
Sql set_command(const std::string& setting, const std::string& value);
Sql pause_command(const std::string& alias);
Sql resume_command(const std::string& alias);

class PgBouncerConsole {
 public:
  // Throws CannotConnect. name is what messages call the instance.
  static PgBouncerConsole open(const std::string& name, const Conninfo& admin, Deadline deadline);

  // "PgBouncer 1.18.0"; throws ServerError if something else answers.
  std::string version(Deadline deadline);
  std::vector<PooledDatabase> databases(Deadline deadline);
  // Throws Error("pooler.alias-gone") if the process does not know the alias.
  PooledDatabase database(const std::string& alias, Deadline deadline);
  // All aliases'; costs less than sessions(), which names the clients too.
  std::vector<PooledServer> servers(Deadline deadline);
  std::set<std::string> changeable_settings(Deadline deadline);  // by RELOAD
  std::vector<PooledSession> sessions(const std::string& alias, Deadline deadline);
  PoolCounts pools(const std::string& alias, Deadline deadline);
  std::vector<PoolLoad> loads(Deadline deadline);
  std::map<std::string, std::string> config(Deadline deadline);
  // True under a global PAUSE, SUSPEND or a shutdown, as far as the version tells (from 1.19).
  bool is_globally_held(Deadline deadline);

  void reload(Deadline deadline);
  void set(const std::string& setting, const std::string& value, Deadline deadline);
  void resume(const std::string& alias, Deadline deadline);
  // The halves of PAUSE. The tag is PAUSE if no transaction is open; after any WAIT_CLOSE of the past it says
  // WAIT_CLOSE at once, with transactions open (faults B6).
  void send_pause(const std::string& alias, Deadline deadline);
  std::string receive_tag(Deadline deadline);
  bool has_tag() { return connection_.has_answer(); }

  bool is_open() const { return connection_.is_open(); }
  void close() { connection_.close(); }
  Connection& connection() { return connection_; }

 private:
  explicit PgBouncerConsole(Connection connection) : connection_(std::move(connection)) {}
  Connection connection_;
};

}  // namespace verdigris
