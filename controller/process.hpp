// External programs: the only place that starts any. Started from one thread, by argv without a shell, in a process
// group of their own and with an explicit environment. A deadline is kept by polling; then TERM, then KILL of the
// group. Boost.Process' own timed waits are not used: they crash beside threads (boostorg/process issue 168).
#pragma once

#include <sys/types.h>

#include <filesystem>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "replication/deadline.hpp"
#include "replication/tool_runner.hpp"

namespace verdigris {

// What a child is given: PATH, HOME, the locale and libpq's settings that name no server (operator.md section 5), then
// `more`, which wins.
std::vector<std::pair<std::string, std::string>> child_environment(
    const std::vector<std::pair<std::string, std::string>>& more = {});

// A ToolRunner. Runs to the end and returns all of stdout and the first 64 KiB of stderr; a program that ends by a
// signal has exit code 128 + signal, as a shell says it. Throws as tool_runner.hpp says.
ToolResult run_tool(const ToolRun& run, Deadline deadline);

struct ChildStart {
  std::vector<std::string> argv;  // argv[0] is an absolute path
  std::vector<std::pair<std::string, std::string>> environment = {};
  std::filesystem::path output = {};  // stdout is appended here; empty: /dev/null
  std::filesystem::path errors = {};  // stderr; empty: where stdout goes
  int death_signal = 0;               // sent by the kernel when the starting thread ends; 0: outlives it
  bool joins_group = false;           // stays in our process group, so that a terminal's Ctrl-C reaches it too
};

// A child that runs beside us, e.g. a server. Owned by one thread. The destructor kills the whole group and reaps.
class ChildProcess {
 public:
  // Throws Error("tool-missing") if it cannot be started.
  static ChildProcess start(const ChildStart& start);
  ChildProcess(ChildProcess&&) noexcept;
  ChildProcess& operator=(ChildProcess&&) noexcept;
  ~ChildProcess();

  pid_t pid() const;
  bool is_running();               // reaps it when it has ended
  std::optional<int> exit_code();  // of one that has ended; 128 + signal for one that was ended
  void send(int signal);           // to the child alone; nothing if it has ended
  void send_to_group(int signal);
  bool wait_end(Deadline deadline);  // false if it still runs
  // TERM, and after the grace KILL: to all of its own group, those that outlive it too. Not for one that joins ours.
  void end_with_group(std::chrono::milliseconds grace);
  // Sends the signal and waits; at the deadline the group is killed. True if it ended by itself.
  bool stop(int signal, Deadline deadline);
  void detach();  // it lives on without us

 private:
  struct State;
  explicit ChildProcess(std::unique_ptr<State> state);
  void end_now() noexcept;
  std::unique_ptr<State> state_;
};

}  // namespace verdigris
