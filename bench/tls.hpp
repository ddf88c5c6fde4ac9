// What servers and poolers of a bench need to speak TLS, and their controllers to log in by SCRAM: a certificate of our
// own and a passfile, readable by the servers' user alone. Plain paths; the files live as long as their directory.
#pragma once

#include <filesystem>
#include <string>
#include <utility>
#include <vector>

#include "controller/sandbox/postgres_server.hpp"
#include "replication/connection.hpp"

namespace verdigris::bench {

struct Tls {
  std::filesystem::path certificate, key, passfile;

  static Tls create(const std::filesystem::path& dir, const std::string& server_user);
  std::vector<std::pair<std::string, std::string>> server_settings() const;
  std::vector<std::pair<std::string, std::string>> pooler_settings() const;
};

// Before its first start: logins over TCP only with TLS and SCRAM.
void require_tls(const PostgresServer& server);
// The passwords that the passfile holds.
void set_controller_passwords(Connection& superuser, Deadline deadline);

}  // namespace verdigris::bench
