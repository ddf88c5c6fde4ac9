#include "controller/sandbox/demo.hpp"

#include <fmt/format.h>
#include <stdlib.h>

#include <algorithm>
#include <thread>

#include "controller/sandbox/demo_fault.hpp"
#include "controller/sandbox/sandbox.hpp"
#include "replication/errors.hpp"
#include "replication/schema.hpp"

namespace verdigris {
namespace {

namespace fs = std::filesystem;
using namespace std::chrono_literals;
using Clock = std::chrono::steady_clock;

constexpr int kMostTries = 8;  // a direct client in the way: by chance, and with weight on a busy machine
constexpr auto kBeforeNextTry = 2s;
constexpr auto kLongestCommand = 15min;

struct DemoInterrupted {};
struct CommandFailed {};  // the findings say which

fs::path make_directory() {
  std::string pattern = (fs::temp_directory_path() / "verdigris-demo-XXXXXX").string();
  if (::mkdtemp(pattern.data()) == nullptr) throw Error("file", pattern + ": cannot create the directory");
  return pattern;
}

// Blue is newer than every pg_dump here (bootstrap brings 15): the schema has to be on green beforehand.
bool needs_schema_present(int blue) {
  for (const auto& directory : tool_directories({})) {
    if (!fs::exists(directory / "pg_dump")) continue;
    // "pg_dump (PostgreSQL) 15.18 (Debian 15.18-0+deb12u1)"
    const auto answer = run_tool({{(directory / "pg_dump").string(), "--version"}, {}, {}}, Deadline::after(10s));
    const auto at = answer.output.find(") ");
    if (at != std::string::npos && std::atoi(answer.output.c_str() + at + 2) >= blue) return false;
  }
  return true;
}

int count_tables(const SandboxState& sandbox) {
  auto blue = Connection::open(sandbox.conninfo(sandbox.blue, "verdigris"),
                               {"blue", "verdigris/sandbox/demo", true, {}}, Deadline::after(10s));
  const Result found = blue.query(Sql(R"(
      SELECT count(*) FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
      WHERE c.relkind = 'r' AND n.nspname IN ('public', 'billing'))"),
                                  Deadline::after(10s));
  return static_cast<int>(found.one_row(1).integer(0));
}

class Demo {
 public:
  Demo(const SandboxDemoOptions& options, Interruption& interruption, Output& output)
      : options_(options), interruption_(interruption), output_(output), start_(Clock::now()), dir_(make_directory()) {}

  ~Demo() {
    load_.reset();
    if (options_.keep && supervisor_ && findings.ledger) {
      output_.note("kept: " + dir_.string());
      supervisor_->detach();
      return;
    }
    if (supervisor_) supervisor_->stop(SIGTERM, Deadline::after(60s));
    std::error_code ignored;
    fs::remove_all(dir_, ignored);
  }
  Demo(const Demo&) = delete;
  Demo& operator=(const Demo&) = delete;

  void run() {
    start_sandbox();
    start_load();
    try {
      play();
    } catch (const CommandFailed&) {
      findings.failure = last_;
    }
    end_load();
    findings.ledger = command({"sandbox", "ledger", "--dir", dir_.string(), "--ledger", sandbox_.ledger().string(),
                               "--side", findings.serves});
  }

  DemoFindings findings;

 private:
  void play() {
    require(command({"check"}), "check: nothing stands in the way");
    require(command({"prepare", "--yes"}), "prepare: green follows, migrated and closed");
    findings.verify = command({"verify"});
    require(*findings.verify, "verify: both sides compared while writes go on");
    rest();
    cross("switch");
    rest();
    cross("rollback");
    rest();
    options_.fault.empty() ? cross("switch") : cross_with_fault();
    rest();
    again_until_done({"finish", "--confirm", "shop"});
    require(last_, "finish: green for good");
  }

  double now() const { return std::chrono::duration<double>(Clock::now() - start_).count(); }

  void say(const std::string& text, double took) {
    findings.timeline.push_back({now() - took, took, text});
    output_.note(fmt::format("{:>7.1f} s  {}", now(), text));
  }

  void wait(std::chrono::milliseconds time) const {
    if (interruption_.has_come(time)) throw DemoInterrupted{};
  }

  void rest() const { wait(std::chrono::seconds(options_.seconds)); }

  void start_sandbox() {
    const double began = now();
    SandboxUpOptions up{.blue = options_.blue,
                        .green = options_.green,
                        .dir = dir_,
                        .user = options_.user,
                        .bindirs = options_.bindirs,
                        .pgbouncer = {},
                        .tables = options_.tables,
                        .megabytes = options_.megabytes,
                        .schema_present = needs_schema_present(options_.blue)};
    supervisor_ = start_supervisor(up, options_.keep ? Lifetime::of_its_own : Lifetime::tied_to_us);
    const auto state = wait_ready(*supervisor_, dir_, interruption_, output_);
    if (!state) throw DemoInterrupted{};
    sandbox_ = *state;
    findings.blue_version = sandbox_.blue.version;
    findings.green_version = sandbox_.green.version;
    findings.tables = count_tables(sandbox_);
    findings.megabytes = options_.megabytes;
    findings.rate = options_.rate;
    fs::create_directory(dir_ / "demo");
    say(up.schema_present ? "sandbox up, the schema on both sides" : "sandbox up", now() - began);
  }

  void start_load() {
    load_.emplace(std::vector<std::string>{"sandbox", "load", "--dir", dir_.string(), "--rate",
                                           std::to_string(options_.rate), "--seconds", "3600", "--json"},
                  dir_ / "demo/load");
    wait(2s);
    if (!load_->is_running())
      throw Error("sandbox.load", "the load did not start:" + load_->result(Deadline::after(1s)).errors_tail);
    say("load begins", 0);
  }

  void end_load() {
    load_->send(SIGTERM);
    findings.load = load_->result(Deadline::after(120s));
    load_.reset();
    say("load ends", 0);
  }

  std::vector<std::string> with_playbook(std::vector<std::string> arguments) const {
    for (const auto& more : {std::string("--json"), std::string("--playbook"), sandbox_.playbook().string()})
      arguments.push_back(more);
    return arguments;
  }

  OwnCommand start(const std::vector<std::string>& arguments) {
    ++commands_;
    return {with_playbook(arguments), dir_ / fmt::format("demo/{:02}-{}", commands_, arguments.front())};
  }

  CommandResult command(const std::vector<std::string>& arguments) {
    auto running = start(arguments);
    const auto deadline = Deadline::after(kLongestCommand);
    while (running.is_running() && !deadline.has_passed()) wait(10ms);
    last_ = running.result(Deadline::after(1s));
    return last_;
  }

  void require(const CommandResult& result, const std::string& text) {
    if (result.exit_code == kDone) {
      say(text, result.seconds);
      return;
    }
    say(account_of(result), result.seconds);
    output_.warning(fmt::format("{} ended with exit code {}:{}", result.command, result.exit_code, result.errors_tail));
    last_ = result;
    throw CommandFailed{};
  }

  // What a person does when a direct client happened to be in the way.
  void again_until_done(const std::vector<std::string>& arguments) {
    for (int tries = 1;; ++tries) {
      command(arguments);
      const bool is_worth_it = last_.exit_code == kUndone || last_.exit_code == kRefused;
      if (!is_worth_it || tries == kMostTries) return;
      say_again();
    }
  }

  void say_again() {
    say(account_of(last_) + "; tried again", last_.seconds);
    wait(kBeforeNextTry);
  }

  void cross(const std::string& name) {
    again_until_done({name, "--confirm", "shop"});
    note_crossing(name);
    require(last_, account_of(last_));
  }

  // Whether clients went over, and where they are.
  void note_crossing(const std::string& name) {
    findings.serves = last_.get<std::string>("serves", findings.serves);
    if (last_.exit_code != kDone || last_.get<std::string>("result", "") != "done") return;
    ++findings.switches;
    findings.crossings.push_back(last_);
    findings.crossings.back().command = name;
  }

  void cross_with_fault() {
    auto& fault = findings.fault.emplace(DemoFault{options_.fault, {}, {}});
    auto running = start_behind_fence();
    make_fault(options_.fault, sandbox_, running);
    say("fault: " + description_of(options_.fault), 0);
    const auto deadline = Deadline::after(kLongestCommand);
    while (running.is_running() && !deadline.has_passed()) wait(10ms);
    last_ = running.result(Deadline::after(1s));
    note_crossing("switch");
    fault.ending = ending_of(last_);
    say(account_of(last_), last_.seconds);
    sandbox_ = wait_healed(options_.fault, sandbox_, [this] { wait(50ms); });
    recover();
    fault.recovery = ending_of(last_);
    if (findings.serves == "blue") cross("switch");
  }

  // A switch that has closed blue and is on its way. One that a direct client was in the way of is begun again.
  OwnCommand start_behind_fence() {
    for (int tries = 1;; ++tries) {
      auto running = start({"switch", "--confirm", "shop"});
      const auto deadline = Deadline::after(kLongestCommand);
      while (running.is_running() && !running.has_said("fence_source") && !deadline.has_passed()) wait(2ms);
      if (running.is_running()) return running;
      last_ = running.result(Deadline::after(1s));
      note_crossing("switch");
      if (last_.exit_code == kDone) throw Error("sandbox.fault", "the switch was over before anything could fail");
      if (tries == kMostTries) require(last_, {});
      say_again();
    }
  }

  void recover() {
    for (int tries = 1; tries <= kMostTries; ++tries) {
      command({"recover", "--yes"});
      if (last_.exit_code == kDone) break;
      wait(kBeforeNextTry);
    }
    note_crossing("recover");
    require(last_, account_of(last_));
  }

  SandboxDemoOptions options_;
  Interruption& interruption_;
  Output& output_;
  Clock::time_point start_;
  fs::path dir_;
  std::optional<ChildProcess> supervisor_;
  SandboxState sandbox_;
  std::optional<OwnCommand> load_;
  int commands_ = 0;
  CommandResult last_;
};

}  // namespace

std::optional<DemoFindings> run_demo(const SandboxDemoOptions& options, Interruption& interruption, Output& output) {
  try {
    Demo demo(options, interruption, output);
    demo.run();
    return demo.findings;
  } catch (const DemoInterrupted&) {
    return std::nullopt;
  }
}

}  // namespace verdigris
