#include "controller/sandbox/own_command.hpp"

#include <fmt/format.h>
#include <signal.h>

#include <algorithm>
#include <fstream>

#include "controller/sandbox/postgres_server.hpp"

namespace verdigris {
namespace {

namespace fs = std::filesystem;

fs::path with_ending(const fs::path& file, const char* ending) {
  return file.string() + ending;
}

std::string content_of(const fs::path& file) {
  std::ifstream in(file);
  return {std::istreambuf_iterator<char>(in), {}};
}

ChildProcess start(const std::vector<std::string>& arguments, const fs::path& out, const fs::path& err) {
  std::vector<std::string> argv{fs::read_symlink("/proc/self/exe").string()};
  argv.insert(argv.end(), arguments.begin(), arguments.end());
  return ChildProcess::start({.argv = argv, .output = out, .errors = err, .death_signal = SIGTERM});
}

// Without an inner line break: a line of a timeline.
std::string reason_of(const CommandResult& result) {
  const auto error = result.get<nlohmann::ordered_json>("error", nlohmann::ordered_json::object());
  std::string reason = result.get<std::string>("reason", error.value("message", ""));
  reason.resize(std::min(reason.size(), reason.find('\n')));
  return reason.empty() ? reason : ": " + reason;
}

}  // namespace

std::string ending_of(const CommandResult& result) {
  if (result.exit_code == 128 + SIGKILL) return "killed";
  return result.get<std::string>("result", fmt::format("exit code {}", result.exit_code));
}

std::string account_of(const CommandResult& result) {
  const auto ending = ending_of(result);
  const auto serves = result.get<std::string>("serves", "?");
  if (ending == "undone")
    return fmt::format("{}: undone, {} serves as before{}", result.command, serves, reason_of(result));
  if (ending == "nothing_to_do") return fmt::format("{}: nothing to do, {} serves", result.command, serves);
  if (ending == "killed") return result.command + ": killed";
  if (ending != "done") return fmt::format("{}: exit code {}{}", result.command, result.exit_code, reason_of(result));
  const auto held = result.get<double>("pause_ms", -1);
  return held < 0 ? fmt::format("{}: carried to its end, {} serves", result.command, serves)
                  : fmt::format("{}: {} serves, clients held {:.0f} ms", result.command, serves, held);
}

OwnCommand::OwnCommand(const std::vector<std::string>& arguments, const fs::path& outputs)
    : command_(arguments.front()),
      out_(with_ending(outputs, ".out")),
      err_(with_ending(outputs, ".err")),
      began_(std::chrono::steady_clock::now()),
      child_(start(arguments, out_, err_)) {}

bool OwnCommand::has_said(const std::string& text) const {
  return content_of(err_).find(text) != std::string::npos;
}

CommandResult OwnCommand::result(Deadline deadline) {
  if (!child_.wait_end(deadline)) child_.stop(SIGKILL, deadline);
  CommandResult result;
  result.command = command_;
  result.exit_code = child_.exit_code().value_or(128 + SIGKILL);
  result.json = nlohmann::ordered_json::parse(content_of(out_), nullptr, false);
  if (result.json.is_discarded()) result.json = nullptr;
  result.errors_tail = log_tail(err_, 12);
  result.seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - began_).count();
  return result;
}

}  // namespace verdigris
