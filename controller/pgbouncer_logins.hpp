// Whether the pooler's users can log in on the server that they are to be led to, from where the process runs and with the
// passwords that it has: asked while the old server still serves (cutover.md "Before the pause" 1). That server is closed,
// which is looked at behind the password: "permission denied for database" proves the login.
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

// What an attempt that ended so says. Without the passwords a wrong one says nothing.
LoginTrial::Verdict judge_login(const std::string& sqlstate, const std::string& answer, bool knows_passwords);

// Whether it has them by itself: neither an auth_query nor the clients' own logins are the source of them.
bool knows_passwords(const std::map<std::string, std::string>& config, const std::string& definition);

// definition: of alias, leading to the server that is to be tried.
struct TrialOf {
  std::string name;        // how messages call the process
  Conninfo admin;
  std::filesystem::path included;
  std::string alias, definition;
  bool knows_passwords = true;
  bool may_have_to_wait = false;  // a limit of the user's connections counts those of all databases
};
// One database for each user, of a name of its own, is put into the included file, tried, and taken out. Throws what
// with_lines_read() does.
std::vector<LoginTrial> try_logins(PgBouncerConsole& console, const TrialOf& trial, const std::vector<std::string>& users,
                                   Deadline deadline);

}  // namespace verdigris
