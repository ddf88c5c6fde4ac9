// Whether the pooler's users can log in on the server that they are to be led to, from where the process runs and with the
// passwords that it has: asked while the old server still serves (cutover.md "Before the pause" 1). That server is closed,
// which is looked at behind the password: "permission denied for database" proves the login. Who is turned away there is
// tried where clients are now as well: only what works here and fails there is a reason to refuse.
#pragma once

#include <filesystem>
#include <map>
#include <string>
#include <vector>

#include "controller/pgbouncer_console.hpp"
#include "controller/traffic.hpp"

namespace verdigris {

struct LoginTrial {
  enum class Verdict { proven, refused, unknown };
  std::string user;
  Verdict verdict = Verdict::unknown;
  std::string answer;  // what the pooler said, of the server or of its own
};

// What an attempt says that ended with this.
LoginTrial::Verdict judge_login(const std::string& sqlstate, const std::string& answer);

// Whether the process has the passwords by itself: neither an auth_query nor the clients' own logins are the source of
// them. definition: of the database.
bool knows_passwords(const std::map<std::string, std::string>& config, const std::string& definition);

// The value of a database that is as `definition`, with these two. A password without a user, which PgBouncer ignores, is
// left out. Throws Refused "pooler.ini-syntax" as read_pairs().
std::string trial_definition(const std::string& definition, const std::string& dbname, const std::string& user);

struct TrialOf {
  std::string name;  // how messages call the process
  Conninfo admin;
  std::filesystem::path included;
  std::string alias;
  std::string here, there;  // its definitions: as it is, and as it would be behind the move
  std::string dbname_here, dbname_there;
};

// Databases for each user, of names of their own, are put into the included file, tried, and taken out. Throws what
// with_lines_read() does, and DeadlinePassed.
std::vector<LoginTrial> try_logins(PgBouncerConsole& console, const TrialOf& trial, const std::vector<std::string>& users,
                                   Deadline deadline);

}  // namespace verdigris
