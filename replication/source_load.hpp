// Whether a server has more to do than its operator wants it to have beside a copy. Stateless.
#pragma once

#include <string>

#include "replication/connection.hpp"
#include "replication/load_limits.hpp"

namespace verdigris {

// Which limit is passed, for people: "blue has 52 active sessions, 40 are allowed"; empty if none is. The time of a commit
// is that of a message in the WAL that nobody reads.
std::string passed_limit(Connection& on, const LoadLimits& limits, Deadline deadline);

// What it sends to measure a commit.
Sql empty_commit_statement();

}  // namespace verdigris
