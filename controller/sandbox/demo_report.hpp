// What the demonstration found, as one JSON object and as a page for people. Gathering is the demo's, judging is here.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "controller/exit_codes.hpp"
#include "controller/output.hpp"
#include "controller/sandbox/own_command.hpp"

namespace verdigris {

struct DemoEvent {
  double at = 0;  // seconds after the start
  double took = 0;
  std::string text;
};

// What was broken in the midst of the last switch, and the endings of that switch and of the recovery.
struct DemoFault {
  std::string kind, ending, recovery;
};

struct DemoFindings {
  std::string blue_version, green_version;
  int tables = 0, megabytes = 0, rate = 0;
  std::optional<DemoFault> fault;
  std::vector<DemoEvent> timeline;
  std::vector<CommandResult> crossings;  // those that went through, in order
  int switches = 0;                      // times the serving side changed
  std::optional<CommandResult> verify, load, ledger;
  std::optional<CommandResult> failure;  // the command that ended it all
  std::string serves = "blue";
};

struct DemoVerdict {
  std::string result;  // ok, failed, undone, human
  ExitCode exit_code;
  std::vector<std::string> reasons;  // why it is not ok
};

DemoVerdict judge(const DemoFindings& findings);
void print_demo(const DemoFindings& findings, const DemoVerdict& verdict, Output& output);

}  // namespace verdigris
