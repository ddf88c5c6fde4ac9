// The roles of the sandbox and their passwords. These are made-up secrets of made-up servers: nothing listens beyond
// the unix socket and the loopback pooler, and the files that hold them are 0600.
#pragma once

#include <filesystem>
#include <string>
#include <utility>
#include <vector>

#include "replication/connection.hpp"

namespace verdigris {

struct SandboxLogin {
  const char* user;
  const char* password;
};

inline constexpr SandboxLogin kPoolUser{"app", "sandbox-app"};
inline constexpr SandboxLogin kDirectWriter{"stray", "sandbox-stray"};             // ordinary
inline constexpr SandboxLogin kDirectAdmin{"stray_admin", "sandbox-stray-admin"};  // superuser
inline constexpr SandboxLogin kPoolerAdmin{"verdigris_admin", "sandbox-admin"};    // of PgBouncer's console

// verdigris (superuser) and verdigris_repl: what the controller needs on both sides. Idempotent.
void create_controller_roles(Connection& superuser, Deadline deadline);
// app_owner, app, stray, stray_admin: what blue's applications use. Idempotent.
void create_application_roles(Connection& superuser, Deadline deadline);
// A libpq passfile, 0600, with all logins above.
void write_passfile(const std::filesystem::path& file);

}  // namespace verdigris
