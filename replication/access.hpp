// The connection fence of one database: CONNECTION LIMIT 0 and no CONNECT for anybody but ours. The second lock beside
// the write fence. What was there is saved in the same transaction and put back exactly, grantor by grantor. Sessions
// that already run are not touched by it: foreign_sessions() lists them.
#pragma once

#include <string>
#include <vector>

#include "replication/connection.hpp"

namespace verdigris {

struct ForeignSession {
  int pid;
  std::string user, application, address, state;
  double seconds_in_state;
  std::string query_start;  // UTC
  std::string describe() const;  // "pid 812 (etl, app \"psql\", local, idle for 4 s, query began 2026-06-15 02:00:01Z)"
};

void install_access_functions(Transaction& transaction);
std::vector<Sql> access_function_statements();  // what it sends
// keep: roles that must still connect (ours); superusers pass anyway. Idempotent: saves only the first time.
void close_access(Transaction& transaction, const std::string& deployment, const std::vector<std::string>& keep);
Sql closing_access_statement();  // what it sends; $1 is the deployment, $2 the roles to keep
// In one round trip, flushed with the next synchronous commit: a step of the window follows it with one.
void close_access(Connection& on, const std::string& deployment, const std::vector<std::string>& keep, Deadline deadline);
// What it sends; $1 is the deployment, $2 the roles to keep.
Sql close_access_statement();
// Puts back what close_access() saved and forgets it; without a saved value nothing is done.
void open_access(Transaction& transaction, const std::string& deployment);
Sql opening_access_statement();  // what it sends; $1 is the deployment
bool is_access_closed(Connection& on, const std::string& deployment, Deadline deadline);
// Login roles, superusers but for, that may connect although connections are closed: members of a role that is kept, or
// somebody to whom it was granted since. `keep` as for close_access(). Where they are closed it is to be empty.
std::vector<std::string> roles_let_in(Connection& on, const std::vector<std::string>& keep, Deadline deadline);
// Whether close_access() has something to put back; also if the limit was changed by hand since.
bool has_saved_access(Connection& on, const std::string& deployment, Deadline deadline);

// Client sessions of this database that are not the controller's, oldest first.
std::vector<ForeignSession> foreign_sessions(Connection& on, const std::string& deployment, Deadline deadline);
// Its halves, to ask while something else is waited for.
void send_foreign_sessions(Connection& on, const std::string& deployment, Deadline deadline);
std::vector<ForeignSession> receive_foreign_sessions(Connection& on, Deadline deadline);
// The FROM and WHERE of it, for other questions. deployment: a literal or a parameter.
Sql from_foreign_sessions(const Sql& deployment);
// Ends these sessions, as far as they are still there. Throws ServerError if our role may not.
Sql terminate_statement();  // $1 is the pid
void terminate_sessions(Connection& on, const std::vector<ForeignSession>& sessions, Deadline deadline);

}  // namespace verdigris
