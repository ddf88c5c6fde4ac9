#include "bench/copier.hpp"

#include <fmt/format.h>

#include <signal.h>
#include <unistd.h>

#include <algorithm>
#include <fstream>
#include <map>
#include <thread>

#include "bench/cpu_time.hpp"
#include "bench/floor.hpp"
#include "bench/program.hpp"
#include "controller/process.hpp"
#include "controller/sandbox/sandbox_files.hpp"
#include "replication/errors.hpp"
#include "replication/schema.hpp"

namespace verdigris::bench {
namespace {

namespace fs = std::filesystem;
using namespace std::chrono_literals;

constexpr auto kLongestCopy = 10min;

std::string login(const World& world, const std::string& color) {
  return world.conninfo(color, "verdigris", kCopied).text();
}

// As its documentation has it: the schema with all indexes, then a subscription that copies, `workers` tables at once.
class Native : public Copier {
 public:
  Native(World& world, int workers)
      : Copier(world, "native", fmt::format("{} sync workers", workers)), workers_(workers) {}

  void copy() override {
    const auto dump = (world_.dir() / "native.sql").string();
    run({client_program("pg_dump"), "--schema-only", "--file=" + dump, "--dbname=" + login(world_, "blue")});
    run({client_program("psql"), "--quiet", "--no-psqlrc", "--set=ON_ERROR_STOP=1", "--file=" + dump,
         "--dbname=" + login(world_, "green")});
    auto blue = world_.session("blue", kCopied), green = world_.session("green", kCopied);
    green.execute(Sql("ALTER SYSTEM SET max_sync_workers_per_subscription = {}", Number(workers_)), soon());
    green.query(Sql("SELECT pg_catalog.pg_reload_conf()"), soon());
    blue.execute(Sql("CREATE PUBLICATION bench_native FOR ALL TABLES"), soon());
    green.execute(Sql("CREATE SUBSCRIPTION bench_native CONNECTION {} PUBLICATION bench_native",
                      Literal(login(world_, "blue"))),
                  soon());
    const auto end = Deadline::after(kLongestCopy);
    while (!is_ready(green)) {
      if (end.has_passed()) throw Error("bench.copy", "the subscription does not become ready");
      std::this_thread::sleep_for(20ms);
    }
    analyze();
  }

  void clean() override {
    world_.session("green", kCopied).execute(Sql("DROP SUBSCRIPTION bench_native"), soon());
    world_.session("blue", kCopied).execute(Sql("DROP PUBLICATION bench_native"), soon());
  }

 private:
  static Deadline soon() { return Deadline::after(120s); }

  static bool is_ready(Connection& green) {
    const Result answer = green.query(Sql(R"(
        SELECT count(*) > 0 AND bool_and(srsubstate = 'r') FROM pg_catalog.pg_subscription_rel)"),
                                      soon());
    return answer.one_row(1).boolean(0);
  }

  int workers_;
};

class Pgcopydb : public Copier {
 public:
  Pgcopydb(World& world, std::string variant, std::vector<std::string> options)
      : Copier(world, "pgcopydb", std::move(variant)), options_(std::move(options)) {}

  void copy() override {
    std::vector<std::string> argv{"/usr/bin/pgcopydb", "clone", "--source", login(world_, "blue"), "--target",
                                  login(world_, "green"), "--dir", directory().string()};
    argv.insert(argv.end(), options_.begin(), options_.end());
    run(argv);
  }

  void clean() override { fs::remove_all(directory()); }

 private:
  fs::path directory() const { return world_.dir() / "pgcopydb"; }

  std::vector<std::string> options_;
};

class DumpAndRestore : public Copier {
 public:
  explicit DumpAndRestore(World& world) : Copier(world, "pg_dump", "-Fd -Z0 -j2, pg_restore -j2") {}

  void copy() override {
    run({client_program("pg_dump"), "--format=directory", "--compress=0", "--jobs=2", "--file=" + directory().string(),
         "--dbname=" + login(world_, "blue")});
    run({client_program("pg_restore"), "--jobs=2", "--exit-on-error", "--dbname=" + login(world_, "green"),
         directory().string()});
    analyze();
  }

  void clean() override { fs::remove_all(directory()); }

 private:
  fs::path directory() const { return world_.dir() / "dump"; }
};

constexpr const char* kCopyPlaybook = R"(apiVersion: verdigris/v1
kind: Cutover
name: shop
clusters:
  blue: {{ conninfo: "{blue}" }}
  green: {{ conninfo: "{green}" }}
replication:
  conninfo: {{ to_blue: "{to_blue}", to_green: "{to_green}" }}
  schema: dump
{more}pooler: {{ driver: none }}
)";

// `prepare`, as it is: beyond what the others do it lays streams both ways and fences, and waits until green follows.
// Sequences, which pgcopydb and pg_dump copy, are set at the cutover; pgcopydb runs VACUUM, too.
class Prepare : public Copier {
 public:
  explicit Prepare(World& world, std::string variant = "prepare", std::string replication = {})
      : Copier(world, "verdigris", std::move(variant)), replication_(std::move(replication)) {}

  void copy() override {
    write_playbook();
    auto program = ChildProcess::start(
        {.argv = command({"prepare", "--yes"}), .output = output(), .errors = world_.dir() / "prepare.err"});
    const auto end = Deadline::after(kLongestCopy);
    while (program.is_running() && !end.has_passed()) {
      peak_memory_kib_ = std::max(peak_memory_kib_, bench::peak_memory_kib(program.pid()));
      look();
      std::this_thread::sleep_for(10ms);
    }
    if (program.exit_code() != 0)
      throw Error("bench.copy", "verdigris prepare failed: " + log_tail(world_.dir() / "prepare.err"));
  }

  void clean() override {
    run(command({"abandon", "--drop-green", "--yes", "--confirm", "shop"}));
    world_.session("blue", kCopied).execute(Sql("DROP SCHEMA IF EXISTS verdigris CASCADE"), Deadline::after(60s));
  }

 protected:
  enum class Other { contestant };
  Prepare(Other, World& world, std::string contestant, std::string variant)
      : Copier(world, std::move(contestant), std::move(variant)) {}
  virtual void look() {}  // while it runs
  virtual Conninfo green(const std::string& user) const { return world_.conninfo("green", user, kCopied); }
  virtual std::string more_of_playbook() const { return {}; }

 private:
  fs::path playbook() const { return playbook_of(world_); }
  fs::path output() const { return world_.dir() / "prepare.out"; }

  std::vector<std::string> command(std::vector<std::string> arguments) const {
    arguments.insert(arguments.begin(), program_path().string());
    for (const auto& more : {std::string("--json"), std::string("--playbook"), playbook().string()})
      arguments.push_back(more);
    return arguments;
  }

  void write_playbook() const {
    using namespace fmt::literals;
    std::ofstream out(playbook());
    fs::permissions(playbook(), fs::perms::owner_read | fs::perms::owner_write);
    out << fmt::format(kCopyPlaybook, "blue"_a = login(world_, "blue"), "green"_a = green("verdigris").text(),
                       "to_blue"_a = world_.conninfo("blue", "verdigris_repl", kCopied).text(),
                       "to_green"_a = green("verdigris_repl").text(), "more"_a = replication_)
        << more_of_playbook() << waivers_for(world_.described("blue"), world_.described("green"));
  }

  std::string replication_;
};

// The same from nothing: `prepare` makes the cluster, fills it with the load profile and restarts it, made durable,
// with the settings that the other green has. Each round makes a new one; the world's own green stands idle.
class PrepareFromNothing : public Prepare {
 public:
  explicit PrepareFromNothing(World& world)
      : Prepare(Other::contestant, world, "verdigris-load-profile", "initdb, prepare, synced restart") {}
  ~PrepareFromNothing() override {
    if (const pid_t left = postmaster(); left > 0) ::kill(left, SIGQUIT);
  }

  void copy() override {
    used_.clear();
    Prepare::copy();
    server_cpu_seconds_ = 0;
    for (const auto& [pid, seconds] : used_) server_cpu_seconds_ += seconds;
  }
  void clean() override {
    Prepare::clean();
    fs::remove_all(data());
  }
  Connection filled() const override {
    return Connection::open(green("verdigris"), {"green", "verdigris/bench", false, {}}, Deadline::after(60s));
  }

 protected:
  // Nobody else sees what a server used that has ended by now; what it did since the last look is lost.
  void look() override {
    if (++looks_ % 5 != 0) return;
    if (const pid_t pid = postmaster(); pid > 0) used_[pid] = std::max(used_[pid], cpu_seconds_of_tree(pid));
  }
  Conninfo green(const std::string& user) const override {
    return Prepare::green(user).with("host", (world_.dir() / "s").string()).with("port", "5434");
  }
  std::string more_of_playbook() const override {
    return fmt::format("provision:\n  {{ green: initdb, data_directory: {}, bindir: {}{},\n"
                       "    settings: {{ shared_buffers: 256MB, max_wal_size: 2GB,\n"
                       "      wal_retrieve_retry_interval: 100ms }} }}\n",
                       data().string(), world_.server("green").binaries().bindir.string(),
                       ::geteuid() == 0 ? ", user: nobody" : "");
  }

 private:
  fs::path data() const { return world_.dir() / "made"; }
  pid_t postmaster() const {
    pid_t pid = 0;
    std::ifstream(data() / "postmaster.pid") >> pid;
    return pid;
  }

  std::map<pid_t, double> used_;
  int looks_ = 0;
};

}  // namespace

void Copier::run(const std::vector<std::string>& argv) {
  const auto result = run_tool({argv, {}, {}}, Deadline::after(kLongestCopy));
  if (result.exit_code != 0)
    throw Error("bench.copy", fmt::format("{} ended with {}: {}", argv[0], result.exit_code, result.errors));
}

void Copier::analyze() {
  world_.session("green", kCopied).execute(Sql("ANALYZE"), Deadline::after(10min));
}

std::string client_program(const std::string& name) {
  for (const auto& tool : dump_tools({run_tool, tool_directories({})}, Deadline::after(60s)))
    if (tool.major >= kBlueMajor) return (tool.directory / name).string();
  throw Refused("bench.tools", "there is no pg_dump that can read blue", "Install a PostgreSQL client.");
}

fs::path playbook_of(const World& world) { return world.dir() / "copy.yaml"; }

std::unique_ptr<Copier> prepare_with(World& world, std::string variant, std::string replication) {
  return std::make_unique<Prepare>(world, std::move(variant), std::move(replication));
}

std::unique_ptr<Copier> native_subscription(World& world) { return std::make_unique<Native>(world, 2); }

namespace {

void keep_only(std::vector<std::unique_ptr<Copier>>& all, const std::set<std::string>& names) {
  for (const auto& name : names)
    if (std::ranges::none_of(all, [&](const auto& one) { return one->contestant() == name; }))
      throw Error("bench.contestant", "nobody here is named \"" + name + "\"");
  const std::string ours = all.front()->contestant();
  std::erase_if(all, [&](const auto& one) { return one->contestant() != ours && !names.contains(one->contestant()); });
}

}  // namespace

std::vector<std::unique_ptr<Copier>> copiers(World& world, const CopierChoice& choice) {
  const bool is_quick = choice.is_quick;
  std::vector<std::unique_ptr<Copier>> all;
  all.push_back(std::make_unique<Prepare>(world));
  all.push_back(std::make_unique<PrepareFromNothing>(world));
  all.push_back(std::make_unique<Native>(world, 2));
  if (!is_quick) all.push_back(std::make_unique<Native>(world, 4));
  all.push_back(std::make_unique<Pgcopydb>(world, "--table-jobs 2 --index-jobs 2",
                                           std::vector<std::string>{"--table-jobs", "2", "--index-jobs", "2"}));
  if (!is_quick) {
    all.push_back(std::make_unique<Pgcopydb>(world, "default", std::vector<std::string>{}));
    all.push_back(std::make_unique<Pgcopydb>(
        world, "--split-tables-larger-than 100MB",
        std::vector<std::string>{"--table-jobs", "2", "--index-jobs", "2", "--split-tables-larger-than", "100MB"}));
  }
  all.push_back(std::make_unique<DumpAndRestore>(world));
  if (choice.has_floor) {
    all.push_back(floor_with_same_settings(world));
    all.push_back(floor_with_load_profile(world));
  }
  if (!choice.only.empty()) keep_only(all, choice.only);
  return all;
}

}  // namespace verdigris::bench
