#include "bench/world.hpp"

#include <stdlib.h>

#include "bench/scenario.hpp"
#include "controller/sandbox/pgbouncer_process.hpp"
#include "controller/sandbox/roles.hpp"
#include "replication/errors.hpp"
#include "replication/schema.hpp"

namespace verdigris::bench {
namespace {

namespace fs = std::filesystem;
using namespace std::chrono_literals;

constexpr const char* kServerUser = "nobody";

PostgresServer create(int major, const fs::path& dir, const std::string& name, int port,
                      const std::optional<Tls>& tls) {
  std::vector<std::pair<std::string, std::string>> settings{
      {"shared_buffers", "256MB"},
      {"max_locks_per_transaction", "512"},  // 5,000 tables twice
      {"max_connections", "200"},
      // Up to 15 the launcher starts a worker only every so often, 5 s by default: that would lengthen the time between
      // two cutovers, not a pause.
      {"wal_retrieve_retry_interval", "100ms"}};
  if (tls)
    for (const auto& setting : tls->server_settings()) settings.push_back(setting);
  auto server = PostgresServer::create(
      major, dir / name,
      {.name = name, .port = tls ? free_loopback_port() : port, .settings = settings, .user = kServerUser});
  if (tls) require_tls(server);
  return server;
}

}  // namespace

World::World(bool has_tls, int green_major)
    : tls_(has_tls ? std::optional(Tls::create(dir() / "tls", kServerUser)) : std::nullopt),
      blue_(create(kBlueMajor, dir(), "blue", 5432, tls_)),
      green_(create(green_major, dir(), "green", 5433, tls_)) {
  start(blue_);
  start(green_);
}

void World::start(PostgresServer& server) {
  server.start();
  auto postgres = Connection::open(server.conninfo("postgres", "postgres"), {"bench", "verdigris/bench", false, {}},
                                   Deadline::after(60s));
  create_controller_roles(postgres, Deadline::after(60s));
  if (tls_) set_controller_passwords(postgres, Deadline::after(60s));
}

Conninfo World::conninfo(const std::string& color, const std::string& user, const std::string& database) const {
  const auto plain = server(color).conninfo(user, database);
  if (!tls_) return plain;
  return plain.with("host", "127.0.0.1").with("sslmode", "require").with("passfile", tls_->passfile.string());
}

Connection World::session(const std::string& color, const std::string& database) const {
  return Connection::open(conninfo(color, "verdigris", database), {color, "verdigris/bench", false, {}},
                          Deadline::after(60s));
}

SandboxServer World::described(const std::string& color) const {
  const auto& at = server(color);
  return {at.major(), at.binaries().version, at.pid(), at.dir().string(), at.port()};
}

std::string World::majors() const {
  return std::to_string(blue_.major()) + "-" + std::to_string(green_.major());
}

fs::path World::psql() const {
  for (const auto& directory : tool_directories({}))
    if (fs::exists(directory / "psql")) return directory / "psql";
  throw Refused("bench.psql", "psql is not at hand", "Install a PostgreSQL client.");
}

}  // namespace verdigris::bench
