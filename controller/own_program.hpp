// A program of the operator is run with our rights: nobody else may be able to change it. By argv, within its own limit.
#pragma once

#include <chrono>
#include <optional>
#include <string>
#include <vector>

#include "replication/deadline.hpp"
#include "replication/tool_runner.hpp"

namespace verdigris {

struct ProgramFlaw {
  std::string why;  // "is not there", to follow the program's name
  std::string hint;
};

std::optional<ProgramFlaw> flaw_of_program(const std::string& file);

struct OwnProgramRun {
  std::string name;     // "command hold", for messages
  std::string id;       // errors are "<id>-file", "<id>-timeout", "<id>-failed"
  std::string contract;  // the hint, if the program gives none
  std::vector<std::string> argv;
  std::chrono::milliseconds timeout{0};
  std::vector<std::pair<std::string, std::string>> environment = {};
  ProgressCallback say = {};  // each line of its standard error
  int death_signal = 0;
};

// Throws Refused "<id>-file" if anybody else could change it.
void require_own_program(const OwnProgramRun& run);
// What it printed. Errors say what its standard error said last, and never what it printed. Its own timeout or what is
// left of the deadline, whichever is shorter.
std::string output_of_own_program(const OwnProgramRun& run, Deadline deadline);

}  // namespace verdigris
