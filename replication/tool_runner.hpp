// How the lower folders ask for an external program (pg_dump, pg_restore) without starting processes themselves: the
// controller hands them an implementation. argv[0] is an absolute path; no shell is involved.
#pragma once

#include <chrono>
#include <cstddef>
#include <functional>
#include <string>
#include <vector>

#include "replication/deadline.hpp"

namespace verdigris {

struct ToolRun {
  std::vector<std::string> argv;
  std::vector<std::pair<std::string, std::string>> environment;  // added to a clean one; secrets travel as PGPASSFILE
  std::string input;                                             // standard input, may be empty
  std::size_t most_output = std::string::npos;                   // of what goes beyond it the end is kept
  std::chrono::milliseconds grace{2'000};  // from TERM, sent at the deadline, to KILL
  std::function<void(const std::string&)> say = {};  // each line of its standard error, as it comes
  int death_signal = 0;  // sent by the kernel when whoever runs it ends; 0: it outlives us
};

struct ToolResult {
  int exit_code = 0;
  std::string output;  // standard output
  std::string errors;  // standard error, limited to 64 KiB
};

// Throws DeadlinePassed (the process group is killed), Error("tool-missing") if the program cannot be started.
using ToolRunner = std::function<ToolResult(const ToolRun&, Deadline)>;

// Long work reports through this; the text is one line for people, e.g. "12/40 tables, 88.1 MiB".
using ProgressCallback = std::function<void(const std::string&)>;

}  // namespace verdigris
