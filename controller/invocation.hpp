// What the command line said, as plain values. Made by parse_command_line(); commands only read it. An option that does
// not belong to the command keeps its default.
#pragma once

#include <chrono>
#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <vector>

namespace verdigris {

struct SandboxUpOptions {
  int blue = 15, green = 17;  // majors
  std::filesystem::path dir;  // empty: chosen by the sandbox
  std::string user = "nobody";
  std::vector<std::filesystem::path> bindirs;
  std::filesystem::path pgbouncer;  // the program; empty: the one of this machine
  int tables = 40, megabytes = 300;
  bool schema_present = false;  // green gets the schema, too (where pg_dump is too old to carry it)
};

struct SandboxLoadOptions {
  std::filesystem::path dir, ledger, waits;
  int rate = 300, seconds = 30, clients = 8, first_writer = 1, slow_percent = 0, direct_rest_ms = 100;
  bool only_pooled = false;
};

struct SandboxDownOptions {
  std::filesystem::path dir;
};

struct SandboxLedgerOptions {
  std::filesystem::path dir, ledger;
  std::string side = "blue";
};

struct SandboxDemoOptions {
  int blue = 15, green = 17;
  int tables = 40, megabytes = 300, rate = 300, seconds = 10;
  std::vector<std::filesystem::path> bindirs;
  std::string user = "nobody";
  std::string fault;  // empty, controller, source, target or pooler
  bool keep = false;
};

// What rollback --force may cost: acknowledged commits that blue has not received, by one measure or the other.
struct AcceptedLoss {
  std::optional<std::int64_t> bytes;
  std::optional<std::chrono::seconds> seconds;
};

struct Invocation {
  std::string command;  // "switch", "sandbox up"
  std::filesystem::path playbook = "verdigris.yaml";
  bool json = false, no_color = false, quiet = false, verbose = false, yes = false;
  bool dry_run = false;                                // switch, rollback, recover, pooler adopt, verify --repair
  std::optional<std::string> confirm;                  // switch, rollback, finish, abandon, verify --repair
  std::optional<std::string> plan;                     // prepare, switch, rollback, finish: a file or a digest
  std::string planned_command;                         // plan: empty: the next one
  std::optional<std::chrono::milliseconds> timeout;    // how long a wait outside the window may take
  std::optional<std::chrono::system_clock::time_point> at;  // switch: not before
  std::optional<std::chrono::milliseconds> max_pause;  // switch, rollback: instead of the playbook's
  std::string traffic = "all";                         // switch, rollback: reads, writes or all
  bool force = false;                                  // rollback: without green
  AcceptedLoss accept_loss;                            // rollback --force
  std::string mode = "full";                           // verify: counts, sample or full
  std::vector<std::string> tables;                     // verify: empty means all
  bool show_values = false;                            // verify: of rows that differ
  bool repair = false;                                 // verify: rows of the side that follows
  bool drop_green = false;                             // abandon
  std::string without;                                 // abandon, finish, recover: the side that is lost for good
  bool now = false, purge = false, open_blue = false;  // finish; the last two of plan, too
  bool source_not_restored = false;                    // recover
  bool take_over = false;                              // recover
  bool offline = false;                                // check
  std::filesystem::path plan_file;                     // plan: empty: stdout
  bool detailed_exitcode = false;                      // plan
  bool include_only = false;                           // pooler adopt
  std::string setting;                                 // set: KEY=VALUE
  SandboxUpOptions sandbox_up;
  SandboxLoadOptions sandbox_load;
  SandboxDownOptions sandbox_down;
  SandboxLedgerOptions sandbox_ledger;
  SandboxDemoOptions sandbox_demo;
};

}  // namespace verdigris
