#include "controller/sandbox/supervisor.hpp"

#include <fcntl.h>
#include <unistd.h>

#include <atomic>
#include <exception>
#include <thread>

#include "controller/sandbox/dataset.hpp"
#include "controller/sandbox/interruption.hpp"
#include "controller/sandbox/pgbouncer_process.hpp"
#include "controller/sandbox/postgres_server.hpp"
#include "controller/sandbox/roles.hpp"
#include "controller/sandbox/sandbox_files.hpp"
#include "controller/sandbox/sandbox_state.hpp"
#include "replication/errors.hpp"

namespace verdigris {
namespace {

namespace fs = std::filesystem;
using namespace std::chrono_literals;

constexpr auto kWatchInterval = 50ms;
constexpr auto kFillTimeout = 30min;

struct flock whole_file() {
  struct flock lock {};
  lock.l_type = F_WRLCK;
  lock.l_whence = SEEK_SET;
  return lock;
}

fs::path lock_file(const fs::path& dir) {
  return dir / "lock";
}

// Held until the process ends: the kernel gives it back then, however that comes.
void take_lock(const fs::path& dir) {
  const int file = ::open(lock_file(dir).c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600);
  auto lock = whole_file();
  if (file < 0 || ::fcntl(file, F_SETLK, &lock) != 0)
    throw Error("sandbox.lock", dir.string() + ": another sandbox runs there", {}, Failure::busy);
}

Deadline soon() {
  return Deadline::after(60s);
}

void make_database(const PostgresServer& server, bool has_applications) {
  auto postgres =
      Connection::open(server.conninfo("postgres", "postgres"), {"sandbox", "verdigris/sandbox/up", false, {}}, soon());
  create_controller_roles(postgres, soon());
  if (has_applications) create_application_roles(postgres, soon());
  postgres.execute(Sql("CREATE DATABASE shop TEMPLATE template0"), soon());
}

class Supervisor {
 public:
  Supervisor(const SandboxUpOptions& options, Output& output)
      : options_(options),
        output_(output),
        blue_(create("blue", options.blue, 5432)),
        green_(create("green", options.green, 5433)),
        pooler_(
            PgBouncerProcess::create(options.dir / "pooler", blue_.conninfo("app", "shop"),
                                     {.user = options.user, .program = options.pgbouncer})) {}

  void run(Interruption& interruption) {
    start_all();
    make_database(blue_, true);
    make_database(green_, options_.schema_present);
    write_papers();
    fill(interruption);
    if (interruption.has_come()) return;
    publish("ready");
    while (!interruption.has_come(kWatchInterval)) restart_dead();
  }

 private:
  PostgresServer create(const std::string& name, int major, int port) const {
    return PostgresServer::create(major, options_.dir / name,
                                  {.name = name,
                                   .port = port,
                                   .settings = {{"shared_buffers", "128MB"}},
                                   .bindirs = options_.bindirs,
                                   .user = options_.user});
  }

  void start_all() {
    blue_.start();
    green_.start();
    pooler_.start();
  }

  SandboxState state(const std::string& phase) {
    const auto of = [](PostgresServer& server) {
      return SandboxServer{server.major(), server.binaries().version, server.pid(), server.dir().string(),
                           server.port()};
    };
    return {
        options_.dir,      phase, of(blue_), of(green_), {0, {}, pooler_.pid(), pooler_.dir().string(), pooler_.port()},
        pooler_.passfile()};
  }

  void publish(const std::string& phase) { write_state(state(phase)); }

  void write_papers() {
    publish("starting");
    write_playbook(state("starting"), pooler_.ini(), options_.schema_present);
    write_migration(state("starting"));
  }

  // In a thread of its own, so that a signal ends it: its sessions are lost when the servers stop.
  void fill(Interruption& interruption) {
    std::atomic<bool> is_done{false};
    std::exception_ptr failure;
    std::thread filler([&] {
      try {
        fill_both();
      } catch (...) {
        failure = std::current_exception();
      }
      is_done = true;
    });
    while (!is_done && !interruption.has_come(kWatchInterval)) {}
    if (!is_done) {
      blue_.stop_immediate();
      green_.stop_immediate();
    }
    filler.join();
    if (failure && !interruption.has_come()) std::rethrow_exception(failure);
  }

  void fill_both() {
    const DatasetOptions dataset{.tables = options_.tables, .megabytes = options_.megabytes};
    const auto deadline = Deadline::after(kFillTimeout);
    if (options_.schema_present) create_schema(green_.conninfo("verdigris", "shop"), dataset, deadline);
    create_dataset(
        blue_.conninfo("verdigris", "shop"), dataset, [this](const std::string& text) { output_.note(text); },
        deadline);
  }

  // As a service manager would: a crash is survived, also one made on purpose.
  void restart_dead() {
    if (blue_.is_running() && green_.is_running() && pooler_.is_running()) return;
    try {
      start_all();
      publish("ready");
      output_.note("started again what had ended");
    } catch (const Error& error) {
      output_.error(error);
    }
  }

  SandboxUpOptions options_;
  Output& output_;
  PostgresServer blue_, green_;
  PgBouncerProcess pooler_;
};

}  // namespace

void supervise(const SandboxUpOptions& options, Output& output) {
  Interruption interruption;
  take_lock(options.dir);
  // If this throws, the directory stays with the log that says why; what ran and held data is gone by then.
  Supervisor(options, output).run(interruption);
  std::error_code error;
  fs::remove_all(options.dir, error);
  if (error) output.warning(options.dir.string() + " is left: " + error.message());
}

std::optional<pid_t> find_supervisor(const fs::path& dir) {
  const int file = ::open(lock_file(dir).c_str(), O_RDWR | O_CLOEXEC);
  if (file < 0) return std::nullopt;
  auto lock = whole_file();
  const bool is_answered = ::fcntl(file, F_GETLK, &lock) == 0;
  ::close(file);
  if (!is_answered || lock.l_type == F_UNLCK) return std::nullopt;
  return lock.l_pid;
}

}  // namespace verdigris
