// A PostgreSQL server of our own for the sandbox and the tests: own directory, unix socket only, our child. Owned by
// one thread; the destructor stops it at once and removes its directory. Roles: postgres, verdigris and verdigris_repl
// need no password on the socket, everybody else does (SCRAM). Only processes started here are signalled.
#pragma once

#include <filesystem>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "controller/process.hpp"
#include "controller/sandbox/postgres_binaries.hpp"
#include "controller/sandbox/server_user.hpp"
#include "replication/conninfo.hpp"

namespace verdigris {

struct PostgresOptions {
  std::string name;  // cluster_name; servers of different names have different system identifiers
  int port = 5432;   // part of the socket's name, nothing listens on it
  std::vector<std::pair<std::string, std::string>> settings = {};
  std::vector<std::filesystem::path> bindirs = {};
  std::string user = "nobody";
};

class PostgresServer {
 public:
  // Makes the cluster in `dir` (new or empty) but does not start it. Throws Refused: "sandbox.binaries", or
  // "sandbox.socket-path" if the socket's name would be too long for the system.
  static PostgresServer create(int major, const std::filesystem::path& dir, const PostgresOptions& options);
  PostgresServer(PostgresServer&&) noexcept = default;
  PostgresServer& operator=(PostgresServer&&) = delete;
  ~PostgresServer();

  // Returns when a login succeeds; nothing if it runs. Throws Error("sandbox.start") with the end of the log.
  void start(Deadline deadline = Deadline::after(std::chrono::seconds(60)));
  void stop_fast(
      Deadline deadline = Deadline::after(std::chrono::seconds(60)));  // sessions are ended, a checkpoint is made
  void stop_immediate();                                               // as a crash: the next start recovers
  void freeze();                                                       // SIGSTOP of the server and all its processes
  void thaw();

  bool is_running() { return process_ && process_->is_running(); }
  pid_t pid() const { return process_ ? process_->pid() : 0; }
  int major() const { return binaries_.major; }
  const PostgresBinaries& binaries() const { return binaries_; }
  Conninfo conninfo(const std::string& user, const std::string& dbname) const;
  const std::filesystem::path& dir() const { return dir_; }  // of the socket, too
  int port() const { return options_.port; }
  std::filesystem::path data() const { return dir_ / "data"; }
  std::filesystem::path log() const { return dir_ / "postgres.log"; }

 private:
  PostgresServer(PostgresBinaries binaries, std::filesystem::path dir, PostgresOptions options);
  void initdb() const;
  void write_settings() const;
  std::vector<pid_t> processes() const;

  PostgresBinaries binaries_;
  std::filesystem::path dir_;
  PostgresOptions options_;
  ServerUser user_;
  std::optional<ChildProcess> process_;
};

// Throws Refused("sandbox.socket-path"): a unix socket's path has 107 bytes at most.
void require_short_socket_path(const std::filesystem::path& dir, int port);
// The last lines of a log, for a message.
std::string log_tail(const std::filesystem::path& file, std::size_t lines = 8);

}  // namespace verdigris
