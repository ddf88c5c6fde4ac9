// What a command would do, asked of the servers with the very steps that it would run: the page that `plan` shows, and
// whose digest `--plan` is compared with. Only reads; one thread.
#pragma once

#include <string>

#include "controller/deployment.hpp"
#include "controller/plan.hpp"
#include "controller/plan_page.hpp"

namespace verdigris {

struct PlannedOptions {  // of finish
  bool open_blue = false;
  bool purge = false;
};

struct PlannedCommand {
  std::string command;
  Plan plan;
  bool is_taken_back = false;  // from its end to its beginning
  PlannedOptions options = {};
};

// The command that goes on from here: one that was interrupted, else the next of the journey.
std::string next_command(const Standing& standing);
PlannedCommand planned_command(Deployment& d, const Standing& standing, const std::string& command, PlannedOptions options);
PlanPage preview(Deployment& d, const PlannedCommand& planned, Deadline deadline);

}  // namespace verdigris
