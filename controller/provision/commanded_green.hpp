// A green that a program of the operator makes, e.g. through the interface of a cloud, and drops. Run by argv, with our
// rights, only under blue's lease. What it has made is noted on blue; it must be repeatable, since a run of ours may be
// killed before that. One thread. The contract of the programs is in playbooks/major_upgrade.md.
#pragma once

#include <optional>
#include <string>

#include "controller/own_program.hpp"
#include "controller/playbook.hpp"
#include "controller/provision/told_green.hpp"

namespace verdigris {

class CommandedGreen {
 public:
  // say: what the programs write to standard error, line by line, for people.
  CommandedGreen(const Playbook& playbook, ProgressCallback say) : playbook_(playbook), say_(std::move(say)) {}

  bool is_made(Connection& blue, Deadline deadline) const;
  // Afterwards it is there, and blue says where: the program is run unless blue says so already. Returns what it printed.
  // Throws Refused "provision.command-file", "provision.elsewhere", "provision.dropping", Error "provision.command-*".
  Conninfo ensure_there(Connection& blue, Deadline deadline) const;
  // Begun, and where it is was never learned: nothing of ours can be there.
  bool is_unknown(Connection& blue, Deadline deadline) const;
  bool is_being_dropped(Connection& blue, Deadline deadline) const;
  // That it is to be dropped is noted first, so that a run that is killed, or a program that fails, is gone on with.
  // Nothing without provision.drop. Returns what was done, for people. Throws Error "provision.command-*".
  std::string drop(Connection& blue, Deadline deadline) const;

 private:
  OwnProgramRun run_of(const CommandLine& line, const std::string& name) const;
  Conninfo make() const;

  const Playbook& playbook_;
  ProgressCallback say_;
};

}  // namespace verdigris
