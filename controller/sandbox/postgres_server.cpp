#include "controller/sandbox/postgres_server.hpp"

#include <fcntl.h>
#include <locale.h>
#include <signal.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <deque>
#include <fstream>
#include <sstream>
#include <thread>

#include "replication/connection.hpp"
#include "replication/errors.hpp"

namespace verdigris {
namespace {

namespace fs = std::filesystem;
using namespace std::chrono_literals;

constexpr std::size_t kSocketPathLimit = 107;

const char* server_locale() {
  const locale_t probe = ::newlocale(LC_ALL_MASK, "C.UTF-8", nullptr);
  if (probe == nullptr) return "C";
  ::freelocale(probe);
  return "C.UTF-8";
}

void run_checked(const std::vector<std::string>& argv, const char* what) {
  const auto result = run_tool({argv, {}, {}}, Deadline::after(120s));
  if (result.exit_code != 0)
    throw Error("sandbox.initdb",
                std::string(what) + " failed: " + (result.errors.empty() ? result.output : result.errors));
}

// Only a directory that is the server user's own and closed to others is trusted with clusters to copy.
bool is_private(const fs::path& dir, uid_t owner) {
  struct stat info {};
  return ::lstat(dir.c_str(), &info) == 0 && S_ISDIR(info.st_mode) && info.st_uid == owner &&
         (info.st_mode & 077U) == 0;
}

void run_initdb(const PostgresBinaries& binaries, const ServerUser& user, const fs::path& data) {
  run_checked(user.argv({(binaries.bindir / "initdb").string(), "-D", data.string(), "-U", "postgres", "--auth=trust",
                         "-E", "UTF8", "--locale=" + std::string(server_locale()), "--no-sync"}),
              "initdb");
}

// A cluster to copy: initdb takes 1.5 s, a copy 0.1 s. One per version and server name, because copies share their
// system identifier, and blue and green must not. Empty if the cache cannot be trusted.
fs::path cached_cluster(const PostgresBinaries& binaries, const ServerUser& user, const std::string& name) {
  const fs::path cache = fs::temp_directory_path() / ("verdigris-initdb-" + std::to_string(user.uid()));
  if (!fs::exists(fs::symlink_status(cache))) user.make_directory(cache);
  if (!is_private(cache, user.uid())) return {};
  const auto key = std::to_string(std::hash<std::string>{}(binaries.bindir.string()) % 1000000);
  const fs::path cluster = cache / (binaries.version + "-" + key + "-" + name);
  if (fs::exists(cluster)) return cluster;
  const fs::path made = cluster.string() + "." + std::to_string(::getpid()) + ".new";
  run_initdb(binaries, user, made);
  std::error_code lost_race;  // another process made it meanwhile: the same thing
  fs::rename(made, cluster, lost_race);
  if (lost_race) fs::remove_all(made);
  return cluster;
}

pid_t parent_of(const fs::path& process) {
  std::ifstream file(process / "stat");
  std::string line;
  std::getline(file, line);
  const auto after_name = line.rfind(") ");  // the name may hold spaces and parentheses itself
  return after_name == std::string::npos || line.size() < after_name + 4 ? 0 : std::atoi(line.c_str() + after_name + 4);
}

}  // namespace

void require_short_socket_path(const fs::path& dir, int port) {
  const auto path = dir / (".s.PGSQL." + std::to_string(port));
  if (path.string().size() > kSocketPathLimit)
    throw Refused("sandbox.socket-path", "the path of the socket \"" + path.string() + "\" is longer than 107 bytes",
                  "Name a shorter directory with --dir.");
}

namespace {

// Its end, of a regular file that no link leads to: whoever runs the server owns its directory, and we may be root.
std::string end_of_own_file(const fs::path& file) {
  constexpr off_t kMost = off_t{64} * 1024;
  const int fd = ::open(file.c_str(), O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
  if (fd < 0) return {};
  struct stat kind {};
  std::string text;
  if (::fstat(fd, &kind) == 0 && S_ISREG(kind.st_mode)) {
    text.resize(static_cast<std::size_t>(std::min(kMost, kind.st_size)));
    const auto count = ::pread(fd, text.data(), text.size(), std::max(off_t{0}, kind.st_size - kMost));
    text.resize(static_cast<std::size_t>(std::max(ssize_t{0}, count)));
  }
  ::close(fd);
  return text;
}

}  // namespace

std::string log_tail(const fs::path& file, std::size_t lines) {
  std::istringstream in(end_of_own_file(file));
  std::deque<std::string> last;
  for (std::string line; std::getline(in, line);) {
    last.push_back(line);
    if (last.size() > lines) last.pop_front();
  }
  std::string result;
  for (const auto& line : last) result += "\n  " + line;
  return result;
}

PostgresServer::PostgresServer(PostgresBinaries binaries, fs::path dir, PostgresOptions options)
    : binaries_(std::move(binaries)), dir_(std::move(dir)), options_(std::move(options)), user_(options_.user) {}

PostgresServer PostgresServer::create(int major, const fs::path& dir, const PostgresOptions& options) {
  require_short_socket_path(dir, options.port);
  PostgresServer server(require_postgres(major, options.bindirs), dir, options);
  server.user_.make_directory(dir);
  server.initdb();
  server.write_settings();
  return server;
}

PostgresServer::~PostgresServer() {
  if (dir_.empty()) return;  // moved from
  try {
    stop_immediate();
    fs::remove_all(dir_);
  } catch (const std::exception&) {
    // Nothing to tell it to; ChildProcess kills what is left, the directory is a temporary one.
  }
}

void PostgresServer::initdb() const {
  const auto cluster = cached_cluster(binaries_, user_, options_.name);
  if (cluster.empty())
    run_initdb(binaries_, user_, data());
  else
    run_checked(user_.argv({"/bin/cp", "-a", "--reflink=auto", cluster.string(), data().string()}), "cp");
}

void PostgresServer::write_settings() const {
  std::ofstream settings(data() / "postgresql.conf", std::ios::app);
  settings << "listen_addresses = ''\nunix_socket_directories = '" << dir_.string() << "'\nport = " << options_.port
           << "\ncluster_name = '" << options_.name << "'\n"
           << R"(wal_level = logical
fsync = on
shared_buffers = 64MB
max_connections = 100
max_wal_senders = 10
max_replication_slots = 10
max_logical_replication_workers = 10
max_worker_processes = 16
max_wal_size = 2GB
dynamic_shared_memory_type = posix
autovacuum = on
logging_collector = off
log_line_prefix = '%m [%p] %q%u@%d %a '
lc_messages = C
)";
  for (const auto& [name, value] : options_.settings) settings << name << " = '" << value << "'\n";
  std::ofstream access(data() / "pg_hba.conf", std::ios::trunc);
  access << "local all postgres,verdigris,verdigris_repl trust\n"
            "local replication postgres,verdigris,verdigris_repl trust\n"
            "local all all scram-sha-256\n";
  settings.close();
  access.close();
  if (!settings || !access) throw Error("file", data().string() + ": cannot write the settings");
}

void PostgresServer::start(Deadline deadline) {
  if (is_running()) return;
  process_ = ChildProcess::start(
      {.argv = user_.argv({(binaries_.bindir / "postgres").string(), "-D", data().string()}, SIGQUIT),
       // Ours is not theirs: a subscription's libpq looks for certificates there, and may not read it.
       .environment = {{"HOME", dir_.string()}},
       .output = log(),
       .death_signal = SIGQUIT});
  for (;;) {
    try {
      Connection::open(conninfo("postgres", "postgres"), {options_.name, "verdigris/sandbox/start", false, {}},
                       deadline.or_earlier(Deadline::after(5s)));
      return;
    } catch (const CannotConnect& error) {
      if (is_running() && !deadline.has_passed()) {
        std::this_thread::sleep_for(10ms);
        continue;
      }
      throw Error("sandbox.start", "PostgreSQL " + binaries_.version + " (" + options_.name +
                                       ") does not start: " + error.what() + log_tail(log()));
    }
  }
}

void PostgresServer::stop_fast(Deadline deadline) {
  if (!is_running()) return;
  thaw();  // a stopped process would never see the signal
  process_->stop(SIGINT, deadline);
}

void PostgresServer::stop_immediate() {
  if (!is_running()) return;
  // A stopped one must not go on for a moment, flush its log and answer: it gets the signal before it is let go.
  for (const pid_t one : processes()) ::kill(one, SIGQUIT);
  thaw();
  process_->stop(SIGQUIT, Deadline::after(15s));  // the server itself kills what has not ended after 5 s
}

// The server and its direct children: backends leave our process group (setsid), but not our parentage.
std::vector<pid_t> PostgresServer::processes() const {
  std::vector<pid_t> result{pid()};
  for (const auto& entry : fs::directory_iterator("/proc")) {
    const auto name = entry.path().filename().string();
    if (name.find_first_not_of("0123456789") == std::string::npos && parent_of(entry.path()) == pid())
      result.push_back(std::atoi(name.c_str()));
  }
  return result;
}

void PostgresServer::freeze() {
  if (!is_running()) return;
  process_->send(SIGSTOP);  // first: it starts no further process then
  for (const pid_t one : processes()) ::kill(one, SIGSTOP);
}

void PostgresServer::thaw() {
  if (!is_running()) return;
  for (const pid_t one : processes()) ::kill(one, SIGCONT);
}

Conninfo PostgresServer::conninfo(const std::string& user, const std::string& dbname) const {
  return Conninfo()
      .with("host", dir_.string())
      .with("port", std::to_string(options_.port))
      .with("user", user)
      .with("dbname", dbname);
}

}  // namespace verdigris
