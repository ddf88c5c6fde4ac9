#include "controller/pgbouncer_identity.hpp"

#include <sys/socket.h>
#include <unistd.h>

#include <fstream>
#include <string_view>

namespace verdigris {
namespace {

namespace fs = std::filesystem;

constexpr pid_t kInit = 1;  // the listener under socket activation

std::string setting(const std::map<std::string, std::string>& config, const std::string& key) {
  const auto found = config.find(key);
  return found == config.end() ? std::string{} : found->second;
}

bool is_unix_socket(int socket) {
  sockaddr_storage address{};
  socklen_t size = sizeof address;
  const bool is_known = ::getpeername(socket, reinterpret_cast<sockaddr*>(&address), &size) == 0;
  return is_known && address.ss_family == AF_UNIX;
}

// Who called listen() on the socket that we are connected to.
pid_t peer_pid(int socket) {
  ucred peer{};
  socklen_t size = sizeof peer;
  if (::getsockopt(socket, SOL_SOCKET, SO_PEERCRED, &peer, &size) != 0) return 0;
  return peer.pid;
}

pid_t pid_in(const fs::path& pidfile) {
  std::ifstream in(pidfile);
  pid_t pid = 0;
  in >> pid;
  return in.fail() ? 0 : pid;
}

std::string proc(pid_t pid, const char* name) {
  return "/proc/" + std::to_string(pid) + "/" + name;
}

// The program's name; /proc/PID/exe needs the process' user or root, comm does not.
std::string program_of(pid_t pid) {
  std::error_code error;
  const fs::path exe = fs::read_symlink(proc(pid, "exe"), error);
  constexpr std::string_view kDeleted = " (deleted)";  // the package was upgraded below the running process
  if (!error) {
    std::string name = exe.filename();
    if (name.ends_with(kDeleted)) name.resize(name.size() - kDeleted.size());
    return name;
  }
  std::ifstream in(proc(pid, "comm"));
  std::string name;
  std::getline(in, name);
  return name;
}

class Identification {
 public:
  Identification(PgBouncerConsole& console, const std::map<std::string, std::string>& config, const fs::path& file)
      : connection_(console.connection()), config_(config), file_(file) {}

  PoolerProcess run() {
    find_process();
    if (process_.pid != 0 && program_of(process_.pid) != "pgbouncer")
      refuse("pid " + std::to_string(process_.pid) + " is \"" + program_of(process_.pid) + "\", not pgbouncer");
    require_conffile();
    return process_;
  }

 private:
  [[noreturn]] void refuse(const std::string& why) const {
    throw Refused("pooler.identity", connection_.server() + ": not the process meant: " + why,
                  "Let admin and file of the pooler in the playbook name one running process, and stop leftovers.");
  }

  void find_process() {
    const int socket = PQsocket(connection_.native());
    pid_t listener = 0;
    if (is_unix_socket(socket))
      listener = peer_pid(socket);
    else
      require_loopback();
    if (listener > kInit) adopt(listener);
    const fs::path pidfile = resolved(setting(config_, "pidfile"));
    if (pidfile.empty()) return;
    const pid_t named = pid_in(pidfile);
    if (listener > kInit && named != 0 && named != listener)
      refuse("pid " + std::to_string(listener) + " listens, \"" + pidfile.string() + "\" names " +
             std::to_string(named));
    if (listener <= kInit && named != 0) adopt(named);
  }

  void adopt(pid_t pid) {
    std::error_code error;
    process_.pid = pid;
    process_.cwd = fs::read_symlink(proc(pid, "cwd"), error);
  }

  void require_loopback() const {
    const std::string address = PQhostaddr(connection_.native());
    if (address.starts_with("127.") || address == "::1") return;
    throw Refused("pooler.remote", connection_.server() + ": the console answers from " + address,
                  "Run verdigris on the pooler's machine and name its unix socket directory as host.");
  }

  fs::path resolved(const fs::path& name) const {
    if (name.empty() || name.is_absolute()) return name;
    return process_.cwd.empty() ? fs::path{} : process_.cwd / name;
  }

  void require_conffile() const {
    const std::string as_started = setting(config_, "conffile");
    const fs::path conffile = resolved(as_started);
    std::error_code error;
    if (conffile.empty())
      refuse("it was started with the relative file name \"" + as_started + "\" and its directory cannot be read");
    const fs::path theirs = fs::canonical(conffile, error);
    const fs::path ours = error ? fs::path{} : fs::canonical(file_, error);
    if (error || theirs != ours)
      refuse("it reads \"" + conffile.string() + "\", the playbook names \"" + file_.string() + "\"");
  }

  Connection& connection_;
  const std::map<std::string, std::string>& config_;
  fs::path file_;
  PoolerProcess process_;
};

}  // namespace

PoolerProcess identify_pooler(PgBouncerConsole& console, const std::map<std::string, std::string>& config,
                              const fs::path& file) {
  return Identification(console, config, file).run();
}

}  // namespace verdigris
