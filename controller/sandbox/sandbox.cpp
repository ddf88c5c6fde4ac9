#include "controller/sandbox/sandbox.hpp"

#include <signal.h>
#include <unistd.h>

#include <cstdlib>
#include <fstream>
#include <thread>

#include "controller/sandbox/postgres_binaries.hpp"
#include "controller/sandbox/postgres_server.hpp"
#include "controller/sandbox/supervisor.hpp"
#include "replication/errors.hpp"

namespace verdigris {
namespace {

namespace fs = std::filesystem;
using namespace std::chrono_literals;

constexpr int kLongestPort = 65535;  // the pooler's socket has the longest name

fs::path log_of(const fs::path& dir) {
  return dir / "supervisor.log";
}

// A directory may be taken if it is empty, or if it is what a killed sandbox left.
bool is_leftover(const fs::path& dir) {
  return fs::exists(dir / "lock") && !find_supervisor(dir);
}

void make_directory(const fs::path& dir) {
  std::error_code error;
  if (is_leftover(dir)) fs::remove_all(dir, error);
  if (fs::exists(dir, error) && !fs::is_empty(dir, error))
    throw Refused("sandbox.directory", dir.string() + " is not empty and not a sandbox",
                  "Name another one with --dir.");
  fs::create_directories(dir, error);
  if (error) throw Error("file", dir.string() + ": cannot create the directory: " + error.message());
  fs::permissions(dir, fs::perms(0711));  // servers of another user have their directories in it
  std::ofstream(dir / "lock").flush();
}

std::vector<std::string> supervisor_argv(const SandboxUpOptions& options) {
  std::vector<std::string> argv{fs::read_symlink("/proc/self/exe").string(), "sandbox", "supervise"};
  const auto add = [&](const char* name, const std::string& value) {
    argv.push_back(name);
    argv.push_back(value);
  };
  add("--blue", std::to_string(options.blue));
  add("--green", std::to_string(options.green));
  add("--dir", options.dir.string());
  add("--user", options.user);
  add("--tables", std::to_string(options.tables));
  add("--megabytes", std::to_string(options.megabytes));
  for (const auto& bindir : options.bindirs) add("--bindir", bindir.string());
  if (!options.pgbouncer.empty()) add("--pgbouncer", fs::absolute(options.pgbouncer).string());
  if (options.schema_present) argv.push_back("--schema-present");
  return argv;
}

// Hands on what the supervisor writes to its log.
class LogFollower {
 public:
  LogFollower(const fs::path& file, Output& output) : in_(file), output_(output) {}
  void follow() {
    for (std::string line; std::getline(in_, line);) output_.detail(line);
    in_.clear();
  }

 private:
  std::ifstream in_;
  Output& output_;
};

}  // namespace

fs::path default_sandbox_dir() {
  const char* runtime = std::getenv("XDG_RUNTIME_DIR");
  if (::geteuid() != 0 && runtime != nullptr && *runtime == '/') return fs::path(runtime) / "verdigris-sandbox";
  return fs::temp_directory_path() / ("verdigris-sandbox-" + std::to_string(::geteuid()));
}

ChildProcess start_supervisor(const SandboxUpOptions& options, Lifetime lifetime) {
  require_postgres(options.blue, options.bindirs);
  require_postgres(options.green, options.bindirs);
  require_pgbouncer(options.pgbouncer);
  require_short_socket_path(options.dir / "pooler", kLongestPort);
  make_directory(options.dir);
  return ChildProcess::start({.argv = supervisor_argv(options),
                              .output = log_of(options.dir),
                              .death_signal = lifetime == Lifetime::tied_to_us ? SIGTERM : 0});
}

std::optional<SandboxState> wait_ready(ChildProcess& supervisor, const fs::path& dir, Interruption& interruption,
                                       Output& output) {
  LogFollower log(log_of(dir), output);
  for (;;) {
    log.follow();
    if (auto state = read_state(dir); state && state->phase == "ready") return state;
    if (!supervisor.is_running()) {
      const std::string why = log_tail(log_of(dir));
      std::error_code ignored;
      fs::remove_all(dir, ignored);
      throw Error("sandbox.start", "the sandbox did not start:" + why);
    }
    if (interruption.has_come(50ms)) {
      supervisor.stop(SIGTERM, Deadline::after(60s));
      return std::nullopt;
    }
  }
}

bool stop_sandbox(const fs::path& dir, Deadline deadline) {
  if (!fs::exists(dir)) return false;
  const auto supervisor = find_supervisor(dir);
  if (!supervisor && !fs::exists(dir / "lock"))
    throw Refused("sandbox.directory", dir.string() + " is not a sandbox", "Name the directory of \"sandbox up\".");
  if (supervisor) ::kill(*supervisor, SIGTERM);
  while (find_supervisor(dir)) {
    if (deadline.has_passed())
      throw DeadlinePassed("the supervisor of " + dir.string() + " does not end",
                           "Its pid is " + std::to_string(*supervisor) + ".");
    std::this_thread::sleep_for(20ms);
  }
  fs::remove_all(dir);
  return true;
}

}  // namespace verdigris
