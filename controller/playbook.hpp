// A playbook, decoded: what to move, from where to where, within which limits. Plain values; controller/config.hpp
// makes one out of YAML and vouches for every range. Durations are milliseconds, sizes bytes. No secret stands in it.
#pragma once

#include <chrono>
#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <utility>
#include <variant>
#include <vector>

#include "replication/conninfo.hpp"
#include "replication/load_limits.hpp"

namespace verdigris {

enum class IdentityMode { automatic, refuse };          // tables without replica identity: make one, or refuse
enum class SchemaMode { dump, present };                // carry the schema over, or find it on green already
enum class BypassPolicy { refuse, wait, terminate };     // sessions beside the pooler that could still write
enum class ReverseMode { required, best_effort, off };  // the way back

struct PoolerInstance {
  std::string name;            // how messages name it: the stem of its file, or its number if two stems are equal
  Conninfo admin;              // the admin console
  std::filesystem::path file;  // absolute
  std::filesystem::path include = {};  // absolute: the included file that pooler adopt makes, or nothing
};

struct Waiver {
  std::string id, reason, until;  // until: YYYY-MM-DD, the last day on which it holds (UTC)
};

// How much of blue a copy may have.
struct CopyPace {
  std::int64_t max_bytes_per_second = 0;  // of rows, all streams together; 0: no limit
  LoadLimits max_load = {};
};

struct ReplicationSettings {
  Conninfo to_blue, to_green;  // as the servers reach each other
  std::vector<std::string> include{"*.*"}, exclude;
  std::vector<std::vector<std::string>> groups;  // lists of tables, each with a stream of its own; empty: auto
  bool is_one_group = true;                      // neither lists nor auto
  int copy_workers = 2;
  CopyPace copy_pace = {};
  std::chrono::milliseconds copy_ddl_wait{2000};  // how long DDL on blue may wait for a lock of the copy
  IdentityMode identity = IdentityMode::automatic;
  SchemaMode schema = SchemaMode::dump;
  ReverseMode reverse = ReverseMode::required;
  std::int64_t max_slot_wal_bytes = 0;  // 0: no limit of ours
};

// With what settings green is filled. full: no WAL where none is needed, nothing flushed: lost with a crash.
// keep_fsync: the same, but each commit survives. off: those it serves with.
enum class LoadProfile { full, keep_fsync, off };

// A program that is run by argv, never through a shell.
struct CommandLine {
  std::vector<std::string> argv;  // the program's absolute path first; of set_target, with placeholders
  std::chrono::milliseconds timeout{0};
};

// existing: somebody has made green. initdb: prepare makes it on this machine. command: a program of the operator makes
// it and says where it is. physical: prepare makes it on this machine, of a base backup of blue.
enum class GreenOrigin { existing, initdb, command, physical };

struct ProvisionSettings {
  GreenOrigin origin = GreenOrigin::existing;
  // initdb, physical
  std::filesystem::path data_directory, bindir;   // absolute
  std::string user = {};                          // of the machine, who runs the server; empty: who runs verdigris
  std::vector<std::pair<std::string, std::string>> settings = {};  // of its configuration, in the order of the playbook
  LoadProfile load_profile = LoadProfile::full;  // of initdb alone
  // command
  CommandLine make = {};
  std::optional<CommandLine> drop = {};

  bool is_initdb() const { return origin == GreenOrigin::initdb; }
  bool is_physical() const { return origin == GreenOrigin::physical; }
  bool is_made_here() const { return is_initdb() || is_physical(); }
  bool is_command() const { return origin == GreenOrigin::command; }
};

struct MigrationSettings {
  std::optional<std::filesystem::path> dir;  // absolute
  std::chrono::milliseconds lock_timeout{2000};
};

// What leads clients where no PgBouncer does, and what it says of itself.
struct TrafficCommands {
  CommandLine set_target, show_target;
  std::optional<CommandLine> hold, release;  // both or none
  bool can_hold_clients = false, knows_transaction_end = false, pause_observable = false;
};

struct PoolerSettings {
  std::string driver = "pgbouncer";  // pgbouncer | command | none
  TrafficCommands command;           // with driver command
  std::vector<PoolerInstance> instances;
  std::vector<std::string> databases;  // the pooler's names of the database
  std::vector<std::string> reads = {};  // further ones, of readers, which may be led to green alone (switch --traffic reads)
  std::vector<std::string> all_names() const {
    auto all = databases;
    all.insert(all.end(), reads.begin(), reads.end());
    return all;
  }
  std::chrono::milliseconds pause_timeout{2000};
  int attempts = 1;  // of a switch or rollback that is undone although nothing is wrong for good
  std::chrono::milliseconds backoff{15'000};
};

// An autovacuum worker that holds a table which the fence must lock. cancel: at once, as the server itself does after
// deadlock_timeout; it begins anew later. One against wraparound gives way to nobody.
enum class AutovacuumPolicy { wait, cancel };

struct FenceSettings {
  BypassPolicy bypass = BypassPolicy::wait;  // terminate where no PgBouncer drains clients, unless it is written
  AutovacuumPolicy autovacuum = AutovacuumPolicy::cancel;
  std::chrono::milliseconds lock_timeout{500};
};

// Which rows are compared while clients wait: all; those that changed since all were compared before; or, by their size,
// whichever of the two takes milliseconds.
enum class InPause { automatic, changed, full };

struct VerifySettings {
  InPause in_pause = InPause::automatic;
  std::chrono::milliseconds budget{100};  // for what changed
};

struct CutoverSettings {
  std::chrono::milliseconds max_pause{5000};
  VerifySettings verify;
  std::vector<std::string> promotable;  // application_name of physical standbys that may be promoted
  std::vector<std::string> away_slots;  // physical slots without a receiver; nobody promotes what they are kept for
};

// What must hold at the moment when clients are to be held. `wait`: how long it may be waited for; 0: not at all.
struct LagGate {
  std::int64_t max_bytes = 0;  // of the source's log that the target has not applied
  std::chrono::milliseconds stable_for{0};
  std::chrono::milliseconds wait{30'000};  // beyond stable_for
};

enum class TransactionPolicy { wait, stop, terminate };

struct LongTransactionsGate {
  std::chrono::milliseconds older_than{0};
  TransactionPolicy action = TransactionPolicy::wait;
  std::chrono::milliseconds wait{0};
};

enum class Comparison { equal, different, less, less_or_equal, greater, greater_or_equal };

struct Expectation {
  Comparison how = Comparison::equal;
  std::string value;
  bool is_number = false;
  std::string written;  // "<= 5"
};

struct SqlGate {
  std::string id, on, query;  // on: colour
  Expectation expect;
  std::chrono::milliseconds timeout{5'000}, wait{0};
};

struct CommandGate {
  std::string id;
  CommandLine line;
  std::chrono::milliseconds wait{0};
};

using GateSettings = std::variant<LagGate, LongTransactionsGate, SqlGate, CommandGate>;

struct RollbackSettings {
  std::chrono::milliseconds keep{0};
};

struct Playbook {
  std::filesystem::path file;
  std::string name;  // [a-z][a-z0-9_]{0,39}
  Conninfo blue, green;
  std::string tls = "verify-full";  // the weakest sslmode accepted towards a remote host
  ReplicationSettings replication;
  ProvisionSettings provision;
  MigrationSettings migrations;
  PoolerSettings pooler;
  FenceSettings fence;
  std::vector<GateSettings> gates;  // in the order in which they are asked
  CutoverSettings cutover;
  RollbackSettings rollback;
  std::vector<Waiver> waivers;
};

}  // namespace verdigris
