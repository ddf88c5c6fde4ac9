// The two servers that all contestants of a scenario share: fsync on, own directory, our children. Owned by one thread;
// the destructor ends them and removes everything.
#pragma once

#include <filesystem>
#include <optional>
#include <string>

#include "bench/scenario.hpp"
#include "bench/tls.hpp"
#include "controller/sandbox/postgres_server.hpp"
#include "controller/sandbox/sandbox_state.hpp"
#include "controller/sandbox/scratch_dir.hpp"
#include "replication/connection.hpp"

namespace verdigris::bench {

class World {
 public:
  explicit World(bool has_tls, int green_major = kGreenMajor);
  const std::filesystem::path& dir() const { return dir_.path(); }
  const PostgresServer& server(const std::string& color) const { return color == "blue" ? blue_ : green_; }
  // To a database; `user` is app, verdigris or verdigris_repl. Over TCP with TLS and SCRAM if the world has it.
  Conninfo conninfo(const std::string& color, const std::string& user, const std::string& database) const;
  Connection session(const std::string& color, const std::string& database) const;
  SandboxServer described(const std::string& color) const;
  std::string majors() const;
  const std::optional<Tls>& tls() const { return tls_; }
  // The first at hand.
  std::filesystem::path psql() const;

 private:
  void start(PostgresServer& server);

  ScratchDir dir_{"vgb-"};
  std::optional<Tls> tls_;
  PostgresServer blue_, green_;
};

}  // namespace verdigris::bench
