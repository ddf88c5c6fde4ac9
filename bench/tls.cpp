#include "bench/tls.hpp"

#include <fstream>

#include "controller/process.hpp"
#include "controller/sandbox/server_user.hpp"
#include "replication/errors.hpp"

namespace verdigris::bench {
namespace {

namespace fs = std::filesystem;
using namespace std::chrono_literals;

constexpr const char* kPassword = "bench-controller";  // made up, of servers that only this machine reaches

void make_private(const fs::path& file, const ServerUser& owner) {
  fs::permissions(file, fs::perms::owner_read | fs::perms::owner_write);
  owner.own(file);
}

}  // namespace

Tls Tls::create(const fs::path& dir, const std::string& server_user) {
  const ServerUser owner(server_user);
  owner.make_directory(dir);
  Tls tls{dir / "server.crt", dir / "server.key", dir / "controllers.pgpass"};
  const auto made = run_tool({{"/usr/bin/openssl", "req", "-new", "-x509", "-days", "2", "-nodes", "-subj",
                               "/CN=localhost", "-keyout", tls.key.string(), "-out", tls.certificate.string()},
                              {},
                              {}},
                             Deadline::after(60s));
  if (made.exit_code != 0) throw Error("bench.certificate", "openssl: " + made.errors);
  std::ofstream(tls.passfile) << "*:*:*:verdigris:" << kPassword << "\n*:*:*:verdigris_repl:" << kPassword << "\n";
  for (const auto& file : {tls.certificate, tls.key, tls.passfile}) make_private(file, owner);
  return tls;
}

std::vector<std::pair<std::string, std::string>> Tls::server_settings() const {
  return {{"listen_addresses", "127.0.0.1"},
          {"ssl", "on"},
          {"ssl_cert_file", certificate.string()},
          {"ssl_key_file", key.string()}};
}

std::vector<std::pair<std::string, std::string>> Tls::pooler_settings() const {
  return {{"server_tls_sslmode", "require"},
          {"client_tls_sslmode", "require"},
          {"client_tls_cert_file", certificate.string()},
          {"client_tls_key_file", key.string()}};
}

void require_tls(const PostgresServer& server) {
  std::ofstream(server.data() / "pg_hba.conf", std::ios::app)
      << "hostssl all all 127.0.0.1/32 scram-sha-256\nhostssl replication all 127.0.0.1/32 scram-sha-256\n";
}

void set_controller_passwords(Connection& superuser, Deadline deadline) {
  superuser.execute(Sql("SET password_encryption = 'scram-sha-256'"), deadline);
  for (const char* role : {"verdigris", "verdigris_repl"})
    superuser.execute(Sql("ALTER ROLE {} PASSWORD {}", Identifier(role), Literal(kPassword)), deadline);
}

}  // namespace verdigris::bench
