#include "controller/process.hpp"

#include <fcntl.h>
#include <poll.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <csignal>
#include <cstdlib>
#include <cstring>
#include <string_view>
#include <system_error>
#include <thread>

#include "controller/boost_process.hpp"
#include "replication/errors.hpp"

namespace verdigris {
namespace {

namespace bp = boost_process;
using namespace std::chrono_literals;

constexpr auto kPollInterval = 5ms;
constexpr auto kTermGrace = 2s;     // what has to end by itself has this long
constexpr auto kPipeGrace = 500ms;  // a grandchild may keep our pipes open after the child's end
constexpr std::size_t kErrorsLimit = 64 * 1024;

class OwnedDescriptor {
 public:
  explicit OwnedDescriptor(int fd = -1) : fd_(fd) {}
  OwnedDescriptor(OwnedDescriptor&& other) noexcept : fd_(std::exchange(other.fd_, -1)) {}
  OwnedDescriptor& operator=(OwnedDescriptor&& other) noexcept {
    std::swap(fd_, other.fd_);
    return *this;
  }
  ~OwnedDescriptor() { close(); }
  void close() {
    if (fd_ >= 0) ::close(std::exchange(fd_, -1));
  }
  int get() const { return fd_; }
  bool is_open() const { return fd_ >= 0; }

 private:
  int fd_;
};

// Close-on-exec, so that no other child holds an end and a pipe's end of file is seen.
std::pair<OwnedDescriptor, OwnedDescriptor> open_pipe() {
  std::array<int, 2> ends{};
  if (::pipe2(ends.data(), O_CLOEXEC) != 0) throw std::system_error(errno, std::generic_category(), "pipe");
  return {OwnedDescriptor(ends[0]), OwnedDescriptor(ends[1])};
}

OwnedDescriptor open_output(const std::filesystem::path& file) {
  const std::string name = file.empty() ? "/dev/null" : file.string();
  OwnedDescriptor result(::open(name.c_str(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600));
  if (!result.is_open()) throw Error("file", name + ": cannot open: " + std::strerror(errno));
  return result;
}

// Runs in the child between fork and exec: only what is safe there.
struct ChildSetup : bp::extend::handler {
  int in = -1, out = -1, err = -1;
  int death_signal = 0;
  bool own_group = true;
  pid_t parent = 0;

  template <class Executor>
  void on_exec_setup(Executor&) const {
    if (own_group) ::setpgid(0, 0);
    ::dup2(in, STDIN_FILENO);
    ::dup2(out, STDOUT_FILENO);
    ::dup2(err, STDERR_FILENO);
    sigset_t none;
    ::sigemptyset(&none);
    ::sigprocmask(SIG_SETMASK, &none, nullptr);
    for (const int signal : {SIGPIPE, SIGINT, SIGTERM, SIGHUP}) ::signal(signal, SIG_DFL);
    if (death_signal == 0) return;
    ::prctl(PR_SET_PDEATHSIG, death_signal);
    if (::getppid() != parent) ::_exit(127);  // the parent ended before we asked
  }
};

bp::environment environment_of(const std::vector<std::pair<std::string, std::string>>& values) {
  bp::environment result;
  for (const auto& [name, value] : values) result[name] = value;
  return result;
}

bp::child spawn(const std::vector<std::string>& argv,
                const std::vector<std::pair<std::string, std::string>>& environment, const ChildSetup& setup) {
  if (argv.empty() || !argv.front().starts_with('/'))
    throw Error("tool-missing", "a program must be named by its absolute path");
  std::error_code error;
  bp::child child(bp::exe = argv.front(), bp::args = std::vector<std::string>(argv.begin() + 1, argv.end()),
                  environment_of(environment), setup, error);
  if (error) throw Error("tool-missing", argv.front() + ": cannot be started: " + error.message());
  return child;
}

int shell_code(int status) {
  return WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status);
}

// An error of waitpid means that there is nothing left to wait for.
bool is_alive(bp::child& child) {
  std::error_code error;
  return child.running(error) && !error;
}

bool wait_until_ended(bp::child& child, Deadline deadline) {
  while (is_alive(child)) {
    if (deadline.has_passed()) return false;
    std::this_thread::sleep_for(kPollInterval);
  }
  return true;
}

// Without taking its exit code: until that is taken, its pid and its group can be nobody else's.
void wait_until_dead(pid_t pid, Deadline deadline) {
  for (siginfo_t info{}; !deadline.has_passed(); std::this_thread::sleep_for(kPollInterval))
    if (::waitid(P_PID, static_cast<id_t>(pid), &info, WEXITED | WNOHANG | WNOWAIT) != 0 || info.si_pid != 0) return;
}

void end_group(bp::child& child, pid_t group, std::chrono::milliseconds grace) {
  ::kill(-group, SIGTERM);
  wait_until_dead(group, Deadline::after(grace));
  ::kill(-group, SIGKILL);  // also for those of the group that outlived their leader
  wait_until_ended(child, Deadline::after(kTermGrace));
}

// Feeds standard input and gathers the two outputs, never blocking on one while another is full.
class Pipes {
 public:
  Pipes(const ToolRun& run, OwnedDescriptor in, OwnedDescriptor out, OwnedDescriptor err)
      : input_(run.input), say_(run.say), most_output_(run.most_output), in_(std::move(in)), out_(std::move(out)), err_(std::move(err)) {
    for (const auto* end : {&in_, &out_, &err_}) ::fcntl(end->get(), F_SETFL, O_NONBLOCK);
    if (input_.empty()) in_.close();
  }

  bool are_open() const { return out_.is_open() || err_.is_open(); }

  void exchange() {
    std::array<pollfd, 3> ends{{{in_.get(), POLLOUT, 0}, {out_.get(), POLLIN, 0}, {err_.get(), POLLIN, 0}}};
    if (::poll(ends.data(), ends.size(), static_cast<int>(kPollInterval.count())) <= 0) return;
    if (ends[0].revents != 0) write_some();
    if (ends[1].revents != 0) read_some(out_, result.output);
    if (ends[2].revents != 0) read_some(err_, result.errors);
    say_lines(false);
    keep_end(result.output, most_output_);
    said_ -= std::min(said_, keep_end(result.errors, kErrorsLimit));
  }

  // Whole lines; the rest too, if nothing comes any more.
  void say_lines(bool is_end) {
    if (!say_) return;
    for (auto end = result.errors.find('\n', said_); end != std::string::npos; end = result.errors.find('\n', said_)) {
      const auto line = result.errors.substr(said_, end - said_);
      said_ = end + 1;
      say_(line);
    }
    if (is_end && said_ < result.errors.size()) say_(result.errors.substr(std::exchange(said_, result.errors.size())));
  }

  ToolResult result;

 private:
  void write_some() {
    const ssize_t count = ::write(in_.get(), input_.data() + written_, input_.size() - written_);
    if (count > 0) written_ += static_cast<std::size_t>(count);
    const bool is_gone = count < 0 && errno != EAGAIN && errno != EINTR;  // EPIPE: it reads no more
    if (is_gone || written_ == input_.size()) in_.close();
  }

  static void read_some(OwnedDescriptor& from, std::string& into) {
    std::array<char, 65536> buffer{};
    const ssize_t count = ::read(from.get(), buffer.data(), buffer.size());
    if (count == 0 || (count < 0 && errno != EAGAIN && errno != EINTR)) from.close();
    if (count > 0) into.append(buffer.data(), static_cast<std::size_t>(count));
  }

  // Answers and reasons are last lines. Returns how much of its begin is gone.
  static std::size_t keep_end(std::string& text, std::size_t limit) {
    const auto beyond = text.size() - std::min(text.size(), limit);
    text.erase(0, beyond);
    return beyond;
  }

  std::string input_;
  std::function<void(const std::string&)> say_;
  std::size_t written_ = 0, said_ = 0;
  std::size_t most_output_;
  OwnedDescriptor in_, out_, err_;
};

// Writing to a program that has ended must be an error code, not our death.
class IgnoreBrokenPipe {
 public:
  IgnoreBrokenPipe() {
    sigset_t blocked;
    ::sigemptyset(&blocked);
    ::sigaddset(&blocked, SIGPIPE);
    ::pthread_sigmask(SIG_BLOCK, &blocked, &before_);
  }
  ~IgnoreBrokenPipe() {
    sigset_t pipe;
    ::sigemptyset(&pipe);
    ::sigaddset(&pipe, SIGPIPE);
    const timespec none{};
    if (::sigismember(&before_, SIGPIPE) == 0) ::sigtimedwait(&pipe, nullptr, &none);
    ::pthread_sigmask(SIG_SETMASK, &before_, nullptr);
  }

 private:
  sigset_t before_{};
};

std::string base_name(const std::string& path) {
  return path.substr(path.rfind('/') + 1);
}

}  // namespace

std::vector<std::pair<std::string, std::string>> child_environment(
    const std::vector<std::pair<std::string, std::string>>& more) {
  std::vector<std::pair<std::string, std::string>> result{{"PATH", "/usr/local/bin:/usr/bin:/bin:/usr/sbin:/sbin"},
                                                          {"LC_ALL", "C.UTF-8"}};
  for (const char* name : {"HOME", "TMPDIR", "XDG_RUNTIME_DIR", "PGSERVICEFILE", "PGSYSCONFDIR", "PGPASSFILE",
                           "PGSSLMODE", "PGSSLROOTCERT", "PGSSLCERT", "PGSSLKEY", "PGCONNECT_TIMEOUT"})
    if (const char* value = std::getenv(name); value != nullptr) result.emplace_back(name, value);
  result.insert(result.end(), more.begin(), more.end());
  return result;
}

ToolResult run_tool(const ToolRun& run, Deadline deadline) {
  auto [in_read, in_write] = open_pipe();
  auto [out_read, out_write] = open_pipe();
  auto [err_read, err_write] = open_pipe();
  ChildSetup setup;
  setup.in = in_read.get();
  setup.out = out_write.get();
  setup.err = err_write.get();
  setup.death_signal = run.death_signal;
  setup.parent = ::getpid();
  bp::child child = spawn(run.argv, child_environment(run.environment), setup);
  const pid_t group = child.id();
  for (auto* end : {&in_read, &out_write, &err_write}) end->close();

  const IgnoreBrokenPipe guard;
  Pipes pipes(run, std::move(in_write), std::move(out_read), std::move(err_read));
  std::optional<Deadline> last_bytes;
  try {
    while (pipes.are_open() || is_alive(child)) {
      if (pipes.are_open())
        pipes.exchange();
      else
        std::this_thread::sleep_for(kPollInterval);
      if (deadline.has_passed()) throw DeadlinePassed(base_name(run.argv.front()) + " did not end in time");
      if (!last_bytes && !is_alive(child)) last_bytes = Deadline::after(kPipeGrace);
      if (last_bytes && last_bytes->has_passed()) break;
    }
  } catch (...) {
    end_group(child, group, run.grace);
    throw;
  }
  pipes.result.exit_code = shell_code(child.native_exit_code());
  pipes.say_lines(true);
  return std::move(pipes.result);
}

struct ChildProcess::State {
  bp::child child;
  pid_t pid = 0;
  bool owns_group = true;
};

ChildProcess::ChildProcess(std::unique_ptr<State> state) : state_(std::move(state)) {}
ChildProcess::ChildProcess(ChildProcess&&) noexcept = default;

ChildProcess& ChildProcess::operator=(ChildProcess&& other) noexcept {
  if (this == &other) return *this;
  end_now();
  state_ = std::move(other.state_);
  return *this;
}

ChildProcess::~ChildProcess() {
  end_now();
}

void ChildProcess::end_now() noexcept {
  if (!state_) return;
  if (is_running()) {
    send_to_group(SIGKILL);
    wait_end(Deadline::after(kTermGrace));
  }
  if (state_->child.valid()) state_->child.detach();
}

ChildProcess ChildProcess::start(const ChildStart& start) {
  const OwnedDescriptor in(::open("/dev/null", O_RDONLY | O_CLOEXEC));
  const OwnedDescriptor out = open_output(start.output);
  const OwnedDescriptor err = open_output(start.errors.empty() ? start.output : start.errors);
  ChildSetup setup;
  setup.in = in.get();
  setup.out = out.get();
  setup.err = err.get();
  setup.death_signal = start.death_signal;
  setup.own_group = !start.joins_group;
  setup.parent = ::getpid();
  auto state = std::make_unique<State>();
  state->child = spawn(start.argv, child_environment(start.environment), setup);
  state->pid = state->child.id();
  state->owns_group = setup.own_group;
  return ChildProcess(std::move(state));
}

pid_t ChildProcess::pid() const {
  return state_->pid;
}

bool ChildProcess::is_running() {
  return state_->child.valid() && is_alive(state_->child);
}

std::optional<int> ChildProcess::exit_code() {
  if (is_running()) return std::nullopt;
  return shell_code(state_->child.native_exit_code());
}

void ChildProcess::send(int signal) {
  if (is_running()) ::kill(state_->pid, signal);
}

void ChildProcess::send_to_group(int signal) {
  if (is_running()) ::kill(state_->owns_group ? -state_->pid : state_->pid, signal);
}

bool ChildProcess::wait_end(Deadline deadline) {
  return !is_running() || wait_until_ended(state_->child, deadline);
}

void ChildProcess::end_with_group(std::chrono::milliseconds grace) {
  if (is_running()) end_group(state_->child, state_->pid, grace);
}

bool ChildProcess::stop(int signal, Deadline deadline) {
  send(signal);
  if (wait_end(deadline)) return true;
  send_to_group(SIGKILL);
  wait_end(Deadline::after(kTermGrace));
  return false;
}

void ChildProcess::detach() {
  state_->child.detach();
  state_.reset();
}

}  // namespace verdigris
