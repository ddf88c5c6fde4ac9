#include "controller/sandbox/pgbouncer_process.hpp"

#include <netinet/in.h>
#include <signal.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cstring>
#include <fstream>
#include <thread>

#include "controller/sandbox/postgres_server.hpp"
#include "controller/sandbox/roles.hpp"
#include "replication/connection.hpp"
#include "replication/errors.hpp"

namespace verdigris {
namespace {

namespace fs = std::filesystem;
using namespace std::chrono_literals;

void write_file(const fs::path& file, const std::string& text, const ServerUser& owner) {
  std::ofstream out(file, std::ios::trunc);
  out << text;
  out.close();
  if (!out) throw Error("file", file.string() + ": cannot write");
  fs::permissions(file, fs::perms::owner_read | fs::perms::owner_write);
  owner.own(file);
}

}  // namespace

// The system's choice, given back at once. Should somebody take it before PgBouncer does, PgBouncer still serves its
// unix socket, which is the one that we use.
int free_loopback_port() {
  const int probe = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  socklen_t size = sizeof address;
  auto* generic = reinterpret_cast<sockaddr*>(&address);
  const bool is_bound = ::bind(probe, generic, size) == 0 && ::getsockname(probe, generic, &size) == 0;
  ::close(probe);
  if (!is_bound) throw Error("sandbox.port", std::string("no free port: ") + std::strerror(errno));
  return ntohs(address.sin_port);
}

PgBouncerProcess::PgBouncerProcess(fs::path dir, PoolerOptions options)
    : dir_(std::move(dir)), options_(std::move(options)), user_(options_.user), port_(free_loopback_port()) {}

PgBouncerProcess PgBouncerProcess::create(const fs::path& dir, const Conninfo& server, const PoolerOptions& options) {
  PgBouncerProcess result(dir, options);
  require_short_socket_path(dir, result.port_);
  result.user_.make_directory(dir);
  result.write_files(server);
  return result;
}

PgBouncerProcess::~PgBouncerProcess() {
  if (dir_.empty()) return;  // moved from
  process_.reset();
  std::error_code ignored;
  fs::remove_all(dir_, ignored);
}

void PgBouncerProcess::write_files(const Conninfo& server) const {
  const auto at = [&](const char* name) { return (dir_ / name).string(); };
  std::string text = "[databases]\n" + options_.alias + " = host=" + server.value("host") +
                     " port=" + server.value("port") + " dbname=" + server.value("dbname") + "\n\n[pgbouncer]\n";
  std::vector<std::pair<std::string, std::string>> settings{
      {"listen_addr", "127.0.0.1"},
      {"listen_port", std::to_string(port_)},
      {"unix_socket_dir", dir_.string()},
      {"unix_socket_mode", "0777"},
      {"logfile", log().string()},
      {"pidfile", at("pgbouncer.pid")},
      {"pool_mode", "transaction"},
      {"auth_type", "scram-sha-256"},
      {"auth_file", at("userlist.txt")},
      {"admin_users", kPoolerAdmin.user},
      {"max_client_conn", "200"},
      {"default_pool_size", "20"},
      {"ignore_startup_parameters", "extra_float_digits"},
  };
  settings.insert(settings.end(), options_.settings.begin(), options_.settings.end());
  for (const auto& [name, value] : settings) text += name + " = " + value + "\n";
  write_file(ini(), text, user_);
  std::string users;
  for (const auto& login : {kPoolUser, kDirectWriter, kPoolerAdmin})
    users += std::string("\"") + login.user + "\" \"" + login.password + "\"\n";
  write_file(at("userlist.txt"), users, user_);
  write_passfile(passfile());
}

void PgBouncerProcess::start(Deadline deadline) {
  if (is_running()) return;
  std::error_code ignored;
  fs::remove(dir_ / "pgbouncer.pid", ignored);  // left by a hard end; it would refuse to start
  const fs::path program = options_.program.empty() ? require_pgbouncer() : options_.program;
  process_ = ChildProcess::start({.argv = user_.argv({program.string(), "-q", ini().string()}, SIGTERM),
                                  .output = dir_ / "stderr.log",
                                  .death_signal = SIGTERM});
  for (;;) {
    try {
      Connection::open_plain(admin(), {"pooler", "verdigris/sandbox/start", false, {}},
                             deadline.or_earlier(Deadline::after(2s)));
      return;
    } catch (const CannotConnect& error) {
      if (is_running() && !deadline.has_passed()) {
        std::this_thread::sleep_for(10ms);
        continue;
      }
      throw Error("sandbox.start", std::string("PgBouncer does not start: ") + error.what() + log_tail(log()) +
                                       log_tail(dir_ / "stderr.log"));
    }
  }
}

void PgBouncerProcess::stop() {
  if (is_running()) process_->stop(SIGTERM, Deadline::after(10s));
}

void PgBouncerProcess::kill_hard() {
  if (is_running()) process_->stop(SIGKILL, Deadline::after(10s));
}

Conninfo PgBouncerProcess::socket() const {
  return Conninfo()
      .with("host", dir_.string())
      .with("port", std::to_string(port_))
      .with("passfile", passfile().string());
}

Conninfo PgBouncerProcess::admin() const {
  return socket().with("user", kPoolerAdmin.user).with("dbname", "pgbouncer");
}

Conninfo PgBouncerProcess::client(const std::string& user, const std::string& alias) const {
  return socket().with("user", user).with("dbname", alias);
}

}  // namespace verdigris
