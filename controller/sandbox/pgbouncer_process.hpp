// A PgBouncer of our own for the sandbox and the tests: transaction pooling in front of one database, own directory,
// unix socket and a free loopback port. Owned by one thread; the destructor ends it and removes its directory.
#pragma once

#include <filesystem>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "controller/process.hpp"
#include "controller/sandbox/server_user.hpp"
#include "replication/conninfo.hpp"

namespace verdigris {

// A port of 127.0.0.1 that nobody listens on at this moment.
int free_loopback_port();

struct PoolerOptions {
  std::string alias = "shop";
  std::vector<std::pair<std::string, std::string>> settings = {};  // further lines of [pgbouncer]; the last one wins
  std::string user = "nobody";
  std::filesystem::path program = {};  // of another version; empty: the one of this machine
};

class PgBouncerProcess {
 public:
  // Makes directory and files, pointing at `server` (host, port and dbname of it), but does not start. Throws Refused.
  static PgBouncerProcess create(const std::filesystem::path& dir, const Conninfo& server,
                                 const PoolerOptions& options = {});
  PgBouncerProcess(PgBouncerProcess&&) noexcept = default;
  PgBouncerProcess& operator=(PgBouncerProcess&&) = delete;
  ~PgBouncerProcess();

  // Returns when its console answers. Throws Error("sandbox.start") with the end of the log.
  void start(Deadline deadline = Deadline::after(std::chrono::seconds(20)));
  void stop();       // SIGTERM: connections are dropped
  void kill_hard();  // SIGKILL

  bool is_running() { return process_ && process_->is_running(); }
  pid_t pid() const { return process_ ? process_->pid() : 0; }
  Conninfo admin() const;  // the console, on its unix socket
  Conninfo client(const std::string& user, const std::string& alias) const;
  const std::filesystem::path& dir() const { return dir_; }
  std::filesystem::path ini() const { return dir_ / "pgbouncer.ini"; }
  std::filesystem::path log() const { return dir_ / "pgbouncer.log"; }
  std::filesystem::path passfile() const { return dir_ / "clients.pgpass"; }
  int port() const { return port_; }

 private:
  PgBouncerProcess(std::filesystem::path dir, PoolerOptions options);
  void write_files(const Conninfo& server) const;
  Conninfo socket() const;

  std::filesystem::path dir_;
  PoolerOptions options_;
  ServerUser user_;
  int port_;
  std::optional<ChildProcess> process_;
};

}  // namespace verdigris
