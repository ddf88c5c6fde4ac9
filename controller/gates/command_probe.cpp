#include "controller/gates/command_probe.hpp"

#include <fmt/format.h>
#include <fmt/ranges.h>
#include <sys/mman.h>
#include <unistd.h>

#include <array>
#include <csignal>
#include <sstream>

#include "controller/config_values.hpp"
#include "controller/own_program.hpp"
#include "controller/printable.hpp"
#include "replication/errors.hpp"

namespace verdigris {
namespace {

using std::chrono::milliseconds;

constexpr milliseconds kGrace{2'000};           // from TERM to KILL
constexpr off_t kMostWords = off_t{64} * 1024;  // what it says beyond is forgotten
constexpr std::size_t kMostOfALine = 200;

std::string line_of(const std::vector<std::string>& argv) { return fmt::format("{}", fmt::join(argv, " ")); }

}  // namespace

CommandProbe::~CommandProbe() {
  child_.reset();  // with its group
  if (words_ >= 0) ::close(words_);
}

std::string CommandProbe::describe() const {
  return id() + " (" + line_of(gate_.line.argv) + ")";
}

void CommandProbe::start() {
  if (words_ < 0) words_ = ::memfd_create("gate", MFD_CLOEXEC);
  if (words_ >= 0 && ::ftruncate(words_, 0) != 0) throw Error("file", "a file in memory cannot be emptied");
  const std::filesystem::path words = words_ < 0 ? "" : "/proc/self/fd/" + std::to_string(words_);
  child_.emplace(ChildProcess::start({.argv = gate_.line.argv, .output = words, .death_signal = SIGTERM}));
  began_ = std::chrono::steady_clock::now();
}

std::string CommandProbe::last_line() {
  if (words_ < 0) return "";
  std::string all(static_cast<std::size_t>(kMostWords), '\0');
  const auto size = ::lseek(words_, 0, SEEK_END);
  const auto count = ::pread(words_, all.data(), all.size(), std::max(off_t{0}, size - kMostWords));
  all.resize(static_cast<std::size_t>(std::max(ssize_t{0}, count)));
  std::istringstream lines(all);
  std::string last;
  for (std::string line; std::getline(lines, line);)
    if (line.find_first_not_of(" \t\r") != std::string::npos) last = line;
  return excerpt(last, kMostOfALine);
}

std::optional<GateAnswer> CommandProbe::ask(Deadline) {
  const std::string who = "\"" + line_of(gate_.line.argv) + "\"";
  const std::string hint = "Run it by hand as this user; exit code 0 is good.";
  if (!child_) {
    const auto flaw =
        flaw_of_program(gate_.line.argv.front());  // each time: who could change it meanwhile would have our rights
    if (flaw) return GateAnswer{"\"" + gate_.line.argv.front() + "\" " + flaw->why, flaw->hint};
    try {
      start();
    } catch (const Error& error) {
      return GateAnswer{error.what(), hint};
    }
    return std::nullopt;
  }
  if (child_->is_running()) {
    if (words_ >= 0 && ::lseek(words_, 0, SEEK_END) > kMostWords && ::ftruncate(words_, 0) != 0) return std::nullopt;
    if (std::chrono::steady_clock::now() - began_ < gate_.line.timeout) return std::nullopt;
    child_->end_with_group(kGrace);
    child_.reset();
    return GateAnswer{who + " did not end within " + duration_text(gate_.line.timeout) + " and was ended", hint};
  }
  const int code = child_->exit_code().value_or(-1);
  child_.reset();
  if (code == 0) return GateAnswer{};
  const auto said = last_line();
  return GateAnswer{
      who + " ended with exit code " + std::to_string(code) + (said.empty() ? ", and said nothing" : ": " + said),
      hint};
}

}  // namespace verdigris
