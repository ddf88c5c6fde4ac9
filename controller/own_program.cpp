#include "controller/own_program.hpp"

#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <sstream>

#include "controller/config_values.hpp"
#include "controller/process.hpp"
#include "replication/errors.hpp"

namespace verdigris {
namespace {

constexpr std::chrono::milliseconds kMostGrace{2'000};
constexpr std::size_t kMostOutput = std::size_t{64} * 1024;

std::string argv_in_one_line(const std::vector<std::string>& argv) {
  std::string text;
  for (const auto& argument : argv) text += (text.empty() ? "" : " ") + argument;
  return text;
}

struct LastWords {
  std::string why = "it said nothing on standard error", hint;
};

// A script may say much; its last line tells why, and one that begins with HINT what to do.
LastWords last_words(const std::string& errors, const std::string& contract) {
  LastWords words{.hint = contract};
  std::istringstream lines(errors);
  for (std::string line; std::getline(lines, line);) {
    if (line.starts_with("HINT: ")) words.hint = line.substr(6);
    else if (line.find_first_not_of(" \t\r") != std::string::npos) words.why = line;
  }
  return words;
}

}  // namespace

std::optional<ProgramFlaw> flaw_of_program(const std::string& file) {
  struct stat status {};
  if (::stat(file.c_str(), &status) != 0) return ProgramFlaw{"is not there", "Correct its path in the playbook."};
  if (!S_ISREG(status.st_mode) || ::access(file.c_str(), X_OK) != 0)
    return ProgramFlaw{"is not a program that we may run", "Make it executable: chmod +x " + file};
  if (status.st_uid != ::geteuid() && status.st_uid != 0)
    return ProgramFlaw{
        "belongs to uid " + std::to_string(status.st_uid) + ", and we are uid " + std::to_string(::geteuid()),
        "Let it belong to root or to us: it is run with our rights."};
  if ((status.st_mode & (S_IWGRP | S_IWOTH)) != 0)
    return ProgramFlaw{"is writable by group or others", "chmod go-w " + file};
  return std::nullopt;
}

void require_own_program(const OwnProgramRun& run) {
  const auto& file = run.argv.front();
  if (const auto flaw = flaw_of_program(file))
    throw Refused(run.id + "-file", run.name + ": \"" + file + "\" " + flaw->why, flaw->hint);
}

// One that does not hear TERM is killed before the deadline is over: half of what is left then is for whoever puts things
// back, since clients may be waiting.
std::string output_of_own_program(const OwnProgramRun& run, Deadline deadline) {
  require_own_program(run);  // each time: who could change it meanwhile would have our rights
  const std::string who = run.name + " (" + argv_in_one_line(run.argv) + ")";
  const auto left = deadline.remaining();
  const auto limit = std::min(run.timeout, left);
  const auto grace = std::min(kMostGrace, (left - limit) / 2);
  ToolResult result;
  try {
    result = run_tool({.argv = run.argv, .environment = run.environment, .input = {}, .most_output = kMostOutput, .grace = grace,
                       .say = run.say, .death_signal = run.death_signal},
                      Deadline::after(limit));
  } catch (const DeadlinePassed&) {
    throw Error(run.id + "-timeout", who + ": did not end within " + duration_text(limit) + " and was killed", run.contract);
  } catch (const Error& error) {
    throw Error(run.id + "-failed", who + ": " + error.what(), run.contract);
  }
  if (result.exit_code == 0) return result.output;
  const auto [why, hint] = last_words(result.errors, run.contract);
  throw Error(run.id + "-failed", who + ": exit code " + std::to_string(result.exit_code) + ": " + why, hint);
}

}  // namespace verdigris
