// A shop that is really moved: blue 15 and green 17, or other majors, with fsync on, a PgBouncer, a small dataset and a playbook, driven
// through the program itself as an operator does; and a load (also the program's own) whose ledger tells what became of
// each write. For tests that kill, break and leave out things.
#pragma once

#include <nlohmann/json.hpp>

#include <optional>

#include "controller/sandbox/ledger_check.hpp"
#include "controller/sandbox/sandbox_state.hpp"
#include "tests/support/cluster.hpp"

namespace verdigris::test {

constexpr int kKilled = 128 + 9;

using Environment = std::vector<std::pair<std::string, std::string>>;

struct Answer {
  int exit_code = 0;
  nlohmann::json json;  // null if nothing was printed
  std::string errors;
};

// What can be read of who is open, from outside: catalogs, pooler, status.
struct Scene {
  bool is_blue_open = false, is_green_open = false;      // fence function or access or both let clients in
  bool is_blue_closed = false, is_green_closed = false;  // both do not
  bool is_paused = false;
  std::string routed_to;  // "blue", "green"
  std::string serves, activity;
  std::int64_t records = 0;
  std::string text;  // all of it, and the pooler's file

  bool operator==(const Scene& other) const { return text == other.text; }
};

struct Majors {
  int blue = 15, green = 17;
  bool is_schema_present = false;  // green has the schema already: for a blue that is newer than every pg_dump here
  std::string groups = {};         // replication.groups, as YAML; empty: left out
  std::string verify = {};         // cutover.verify, the same
};

class Shop {
 public:
  // Prepared and following. `settings`: of both servers, beside the usual ones.
  explicit Shop(const std::vector<std::pair<std::string, std::string>>& settings = {}, const Majors& majors = {});
  ~Shop();

  // Runs the program to its end: command({"switch", "--confirm", "shop"}, {{"VERDIGRIS_CRASH", "..."}}).
  Answer command(std::vector<std::string> arguments, const Environment& environment = {});
  // switch or rollback, again when a direct client was in the way (exit code 5 or 3), as a person does.
  Answer cross(const std::string& command, const Environment& environment = {});

  // For a crossing that runs beside the test: what it is begun with, and waiting until it has come to a point, such as
  // "after:begin:fence_source". (While clients wait nothing is written to the journal that could be waited for.)
  Environment with_points(Environment more = {}) const;
  void wait_for_point(const std::string& point) const;
  // False if it ended instead.
  bool comes_to_point(const std::string& point, ChildProcess& crossing) const;

  void start_load();
  // Ends it, and returns what it printed: client_errors, direct, ...
  nlohmann::json stop_load();
  bool has_load() const { return load_.has_value(); }

  Scene scene();
  std::string serving();
  bool are_both_open();  // to clients
  // The ledger of all loads so far against one side. No load runs.
  LedgerVerdict ledger(const std::string& color);
  // A marker makes its way from one side to the other; then both sides hold the same ledger tables: "" or what differs.
  std::string difference_after_marker(const std::string& from, const std::string& to);

  Pair& pair() { return pair_; }
  PostgresServer& server(const std::string& color) { return color == "blue" ? pair_.blue() : pair_.green(); }
  const std::filesystem::path& dir() const { return dir_.path(); }
  std::filesystem::path playbook() const { return state_.playbook(); }
  PgBouncerProcess& pooler() { return pooler_; }
  std::vector<std::string> program(std::vector<std::string> arguments) const;  // argv

 private:
  void describe_sandbox(const Majors& majors);
  void prepare();

  ScratchDir dir_;
  Pair pair_;
  PgBouncerProcess pooler_;
  SandboxState state_;
  std::optional<ChildProcess> load_;
  int loads_ = 0;
};

}  // namespace verdigris::test
