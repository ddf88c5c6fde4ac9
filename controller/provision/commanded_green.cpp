#include "controller/provision/commanded_green.hpp"

#include <csignal>
#include <filesystem>

#include "replication/control_schema.hpp"
#include "replication/errors.hpp"
#include "replication/test_switches.hpp"

namespace verdigris {
namespace {

constexpr std::chrono::minutes kBeyondItsLimit{1};
constexpr const char* kProgramContract =
    "Run it by hand as this user; what it must do is in playbooks/major_upgrade.md.";

}  // namespace

OwnProgramRun CommandedGreen::run_of(const CommandLine& line, const std::string& name) const {
  const auto program = std::filesystem::path(line.argv.front()).filename().string();
  OwnProgramRun run{.name = name,
                    .id = "provision.command",
                    .contract = kProgramContract,
                    .argv = line.argv,
                    .timeout = line.timeout};
  run.environment = {{"VERDIGRIS_DEPLOYMENT", playbook_.name}};
  if (say_) run.say = [say = say_, program](const std::string& words) { say(program + ": " + words); };
  run.death_signal = SIGTERM;  // whoever comes next runs it again: two of them would meet
  return run;
}

bool CommandedGreen::is_made(Connection& blue, Deadline deadline) const {
  const auto told = told_green(blue, playbook_.name, deadline);
  return told && told->state == ToldState::made;
}

bool CommandedGreen::is_unknown(Connection& blue, Deadline deadline) const {
  const auto told = told_green(blue, playbook_.name, deadline);
  return told && told->state == ToldState::asked;
}

bool CommandedGreen::is_being_dropped(Connection& blue, Deadline deadline) const {
  const auto told = told_green(blue, playbook_.name, deadline);
  return told && told->state == ToldState::dropping;
}

Conninfo CommandedGreen::make() const {
  const auto run = run_of(playbook_.provision.make, "provision.argv");
  if (say_) say_("making green with " + run.argv.front());
  bool had_secret = false;
  const auto printed = output_of_own_program(run, Deadline::after(run.timeout + kBeyondItsLimit));
  const auto told = conninfo_printed(printed, had_secret);
  if (had_secret && say_)
    say_("the password that " + run.argv.front() + " printed is not kept: a passfile must hold it");
  require_same_place(playbook_, told);
  auto whole = playbook_;
  lead_to_told_green(whole, told);  // throws if something is missing
  if (say_)
    say_("green is at host " + whole.green.value("host") + " port " + whole.green.value("port") + " database " +
         whole.green.value("dbname") + "; blue keeps a note of it");
  return told;
}

Conninfo CommandedGreen::ensure_there(Connection& blue, Deadline deadline) const {
  const auto known = told_green(blue, playbook_.name, deadline);
  if (known && known->state == ToldState::made) return known->conninfo;
  if (known && known->state == ToldState::dropping)
    throw Refused("provision.dropping", "abandon has begun to drop the green that is there, and did not come to its end",
                  "Run: verdigris abandon --drop-green");
  require_own_program(run_of(playbook_.provision.make, "provision.argv"));
  install_control_schema(blue, playbook_.name, "blue", deadline);
  note_told_green(blue, playbook_.name, {ToldState::asked}, deadline);
  crash_point("provision:asked");
  const auto told = make();
  crash_point("provision:told");
  note_told_green(blue, playbook_.name, {ToldState::made, told}, Deadline::after(std::chrono::minutes{1}));
  crash_point("provision:noted");
  return told;
}

std::string CommandedGreen::drop(Connection& blue, Deadline deadline) const {
  if (!playbook_.provision.drop) return {};
  const auto run = run_of(*playbook_.provision.drop, "provision.drop");
  require_own_program(run);
  auto told = told_green(blue, playbook_.name, deadline).value_or(ToldGreen{});
  told.state = ToldState::dropping;
  note_told_green(blue, playbook_.name, told, deadline);
  crash_point("provision:to-be-dropped");
  output_of_own_program(run, Deadline::after(run.timeout + kBeyondItsLimit));
  crash_point("provision:dropped");
  return "green was dropped by " + run.argv.front();
}

}  // namespace verdigris
