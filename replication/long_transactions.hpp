// Transactions of clients that have been open for long, through a pooler or beside it: who, since when, and to end
// them. Not those of the controller, of replication, of autovacuum. One thread per connection.
#pragma once

#include <chrono>
#include <string>
#include <vector>

#include "replication/connection.hpp"

namespace verdigris {

struct LongTransaction {
  int pid = 0;
  std::string user, application, address, state;
  double seconds = 0;              // since it began
  std::string began, query_began;  // UTC
  std::string query;               // its last one, in one line, cut
  bool is_superusers = false;
  // "pid 812 (app, application \"report\", 10.0.0.4, idle in transaction, began 2026-06-15 02:00:01Z, 41 s ago, query
  // began 2026-06-15 02:00:02Z: \"SELECT 1\")"
  std::string describe() const;
};

// In this database, older than that; oldest first.
std::vector<LongTransaction> long_transactions(Connection& on, const std::string& deployment,
                                               std::chrono::milliseconds older_than, Deadline deadline);

// What ends them; $1 is the deployment, $2 the age in seconds.
Sql ending_long_transactions();
// Ends the sessions of those that are as old at that very moment; a superuser's is left alone: it may be maintenance.
// Throws ServerError if our role may not.
std::vector<LongTransaction> end_long_transactions(Connection& on, const std::string& deployment,
                                                   std::chrono::milliseconds older_than, Deadline deadline);

}  // namespace verdigris
