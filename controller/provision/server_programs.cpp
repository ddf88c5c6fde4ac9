#include "controller/provision/server_programs.hpp"

#include <unistd.h>

#include <algorithm>
#include <array>
#include <bit>
#include <chrono>
#include <csignal>
#include <cstdint>
#include <fstream>

#include "controller/provision/server_directory.hpp"
#include "controller/sandbox/postgres_server.hpp"
#include "replication/errors.hpp"
#include "replication/poll.hpp"

namespace verdigris {
namespace {

constexpr std::chrono::seconds kReaping{30};

std::string said_by(const ToolResult& result) {
  auto text = result.errors.empty() ? result.output : result.errors;
  while (!text.empty() && text.back() == '\n') text.pop_back();
  return text.empty() ? "it said nothing and ended with " + std::to_string(result.exit_code) : text;
}

// pg_ctl gives up a moment before we do: then it says so itself.
std::string seconds_until(Deadline deadline) {
  const auto seconds = std::chrono::duration_cast<std::chrono::seconds>(deadline.remaining()).count();
  return std::to_string(std::max<std::int64_t>(1, seconds - 2));
}

// The head of the control file has been the same since 8.3: identifier, two versions, state.
struct ControlFileHead {
  std::uint64_t system_identifier;
  std::uint32_t control_version, catalog_version, state;
};
constexpr std::array<const char*, 7> kClusterStates{"starting up",   "shut down",         "shut down in recovery",
                                                    "shutting down", "in crash recovery", "in archive recovery",
                                                    "in production"};

enum class Life { none, ended, running };  // ended: its parent has not asked for its end yet

// Of the process that postmaster.pid names. A crash leaves that file, and by then the number may be somebody else's, whom
// a signal would reach: a postmaster works in its data directory.
Life life_of_postmaster(const std::filesystem::path& data) {
  const auto file = read_own_file(data / "postmaster.pid");
  const auto pid = file.substr(0, file.find('\n'));
  if (pid.empty() || pid.find_first_not_of("0123456789") != std::string::npos) return Life::none;
  std::string stat;
  std::ifstream process("/proc/" + pid + "/stat");
  if (!std::getline(process, stat)) return Life::none;
  const auto state = stat.rfind(") ");  // the name before it may hold anything
  if (state != std::string::npos && stat.compare(state + 2, 1, "Z") == 0) return Life::ended;
  std::error_code error;
  const auto works_in = std::filesystem::read_symlink("/proc/" + pid + "/cwd", error);
  if (error == std::errc::no_such_file_or_directory) return Life::none;
  if (error)
    throw Error("provision.status",
                "whether process " + pid + " is green's server in " + data.string() + " cannot be told: " + error.message(),
                "Run verdigris as root or as the user of that server.");
  return works_in == std::filesystem::canonical(data, error) ? Life::running : Life::none;
}

}  // namespace

ServerPrograms::ServerPrograms(std::filesystem::path bindir, ServerUser user, ToolRunner run)
    : bindir_(std::move(bindir)), user_(std::move(user)), run_(std::move(run)) {}

// The programs of 15 and older want to go back to the directory they came from, which another user may not enter. Our
// HOME is not theirs, nor is what libpq is told by our environment: a subscription would log in with it until a service
// manager starts the server without.
ToolResult ServerPrograms::run(const std::string& program, const std::vector<std::string>& arguments,
                               Deadline deadline, int death_signal) const {
  std::vector<std::string> argv{"/usr/bin/env", "--chdir=/"};
  for (const char* name : {"PGSERVICEFILE", "PGSYSCONFDIR", "PGPASSFILE", "PGSSLMODE", "PGSSLROOTCERT", "PGSSLCERT",
                           "PGSSLKEY", "PGCONNECT_TIMEOUT", "TMPDIR", "XDG_RUNTIME_DIR"})
    argv.insert(argv.end(), {"-u", name});
  argv.push_back((bindir_ / program).string());
  argv.insert(argv.end(), arguments.begin(), arguments.end());
  try {
    ToolRun what{user_.argv(argv, SIGKILL), {{"HOME", "/"}}, {}};
    what.death_signal = death_signal;
    return run_(what, deadline);
  } catch (const DeadlinePassed&) {
    std::string text = (bindir_ / program).string();
    for (const auto& argument : arguments) text += " " + argument;
    throw Error("provision.time", "it was ended because it took too long: " + text, "See what holds it up (the disk?), then repeat the command.");
  }
}

int ServerPrograms::major(Deadline deadline) const {
  const std::string begin = "(PostgreSQL) ";
  std::string why;
  for (const char* program : {"initdb", "pg_ctl", "postgres"}) {
    std::error_code ignored;
    if (!std::filesystem::exists(bindir_ / program, ignored)) why += (why.empty() ? "" : ", ") + std::string(program);
  }
  if (!why.empty())
    throw Refused("provision.program", bindir_.string() + " lacks " + why,
                  "Set provision.bindir to the directory of initdb and postgres, as pg_config --bindir prints it.");
  const auto result = run("postgres", {"--version"}, deadline);
  const auto at = result.output.find(begin);
  if (result.exit_code != 0 || at == std::string::npos)
    throw Refused("provision.program", (bindir_ / "postgres").string() + " does not run: " + said_by(result),
                  "Set provision.bindir to a PostgreSQL that runs on this machine.");
  return std::stoi(result.output.substr(at + begin.size()));
}

void ServerPrograms::initdb(const std::filesystem::path& data, const std::vector<std::string>& arguments,
                            Deadline deadline) const {
  std::vector<std::string> all{"-D", data.string()};
  all.insert(all.end(), arguments.begin(), arguments.end());
  const auto result = run("initdb", all, deadline);
  if (result.exit_code == 0) return;
  throw Error("provision.initdb", "initdb of green failed in " + data.string() + ": " + said_by(result),
              "Mend the cause, then repeat the command; a locale that is missing must be installed on this machine.");
}

void ServerPrograms::base_backup(const std::filesystem::path& data, const Conninfo& source, const std::string& slot,
                                 Deadline deadline) const {
  std::error_code ignored;
  if (!std::filesystem::exists(bindir_ / "pg_basebackup", ignored))
    throw Refused("provision.program", bindir_.string() + " lacks pg_basebackup",
                  "Set provision.bindir to an installation with the client programs, or write green: initdb.");
  // Left alone it would go on for hours, hold the slot, and meet the backup of the next run.
  const auto result = run("pg_basebackup",
                          {"-D", data.string(), "-d", source.text(), "-S", slot, "-X", "stream", "-c", "fast", "-w"},
                          deadline, SIGKILL);
  if (result.exit_code == 0) return;
  throw Error("provision.backup", "pg_basebackup of blue failed in " + data.string() + ": " + said_by(result),
              "As the server's user it logs in with replication.conninfo.to_blue: blue's pg_hba.conf needs a line for "
              "database replication and that role, which needs REPLICATION; blue needs two free max_wal_senders.");
}

void ServerPrograms::sync(const std::filesystem::path& data, Deadline deadline) const {
  const auto result = run("initdb", {"--sync-only", "-D", data.string()}, deadline);
  if (result.exit_code == 0) return;
  throw Error("provision.sync", "green could not be made durable in " + data.string() + ": " + said_by(result),
              "Look after the disk, then repeat the command: what was copied may be damaged, and is copied anew.");
}

// One that has ended is waited for: postgres would not start beside it.
bool ServerPrograms::is_running(const std::filesystem::path& data, Deadline deadline) const {
  wait_until(Deadline::after(kReaping).or_earlier(deadline), [&] { return life_of_postmaster(data) != Life::ended; });
  return life_of_postmaster(data) == Life::running;
}

void ServerPrograms::start(const std::filesystem::path& data, Deadline deadline) const {
  const auto log = data / kServerLog;
  const auto result =
      run("pg_ctl", {"start", "-D", data.string(), "-w", "-t", seconds_until(deadline), "-s", "-l", log.string()},
          deadline);
  if (result.exit_code == 0) return;
  throw Error("provision.start", "green does not start in " + data.string() + ": " + said_by(result) + log_tail(log),
              "Mend the cause, which its log " + log.string() + " names, then repeat the command.");
}

void ServerPrograms::stop(const std::filesystem::path& data, const std::string& mode, Deadline deadline) const {
  if (!is_running(data, deadline)) return;
  const auto result =
      run("pg_ctl", {"stop", "-D", data.string(), "-m", mode, "-w", "-t", seconds_until(deadline), "-s"}, deadline);
  if (result.exit_code == 0 || !is_running(data, deadline)) return;
  throw Error("provision.stop", "green does not stop in " + data.string() + ": " + said_by(result),
              "Stop it with pg_ctl stop -D " + data.string() + ", then repeat the command.");
}

// Not by pg_controldata: small installations have none, and it warns of what a crash leaves.
ControlData ServerPrograms::control_data(const std::filesystem::path& data, Deadline /*deadline*/) const {
  const auto file = data / "global/pg_control";
  const auto text = read_own_file(file);
  std::array<char, sizeof(ControlFileHead)> bytes{};
  std::copy_n(text.begin(), std::min(text.size(), bytes.size()), bytes.begin());
  const auto head = std::bit_cast<ControlFileHead>(bytes);
  if (head.system_identifier == 0 || head.state >= kClusterStates.size())
    throw Error("provision.status", "green's state cannot be read from " + file.string(),
                "Mend the cause, then repeat the command.");
  return {std::to_string(head.system_identifier), kClusterStates.at(head.state)};
}

}  // namespace verdigris
