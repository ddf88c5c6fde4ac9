#include "controller/sandbox/own_command.hpp"

#include <signal.h>

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

}  // namespace

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
