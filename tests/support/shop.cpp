#include "tests/support/shop.hpp"

#include <signal.h>

#include <algorithm>
#include <cstdlib>
#include <fstream>
#include <thread>

#include "controller/config.hpp"
#include "controller/deployment.hpp"
#include "controller/process.hpp"
#include "controller/sandbox/dataset.hpp"
#include "controller/sandbox/sandbox_files.hpp"
#include "replication/access.hpp"
#include "replication/errors.hpp"
#include "replication/fence.hpp"
#include "replication/marker.hpp"
#include "replication/stream_groups.hpp"
#include "tests/support/pgbouncer_driver.hpp"

namespace verdigris::test {
namespace {

using namespace std::chrono_literals;
using nlohmann::json;

constexpr int kTables = 12;

PairOptions options_of(std::vector<std::pair<std::string, std::string>> settings) {
  // Up to 15 the launcher starts a worker only every so often: 5 s by default, for each crossing back.
  settings.emplace_back("wal_retrieve_retry_interval", "100ms");
  return {.fsync = Fsync::on, .settings = std::move(settings)};
}

SandboxServer described(PostgresServer& server) {
  auto session = admin(server);
  return {server.major(), value(session, "SELECT split_part(current_setting('server_version'), ' ', 1)"), server.pid(),
          server.dir().string(), server.port()};
}

json parsed(const std::string& text) {
  auto result = json::parse(text, nullptr, false);
  return result.is_discarded() ? json() : result;
}

bool has_passed(const std::filesystem::path& points, const std::string& point) {
  return std::filesystem::exists(points) && read(points).find(point + "\n") != std::string::npos;
}

// A fault seeded into the test's own environment is seeded into all that it runs: a child is given nothing else of it.
Environment with_seeded_fault(Environment environment) {
  const char* mutant = std::getenv("VERDIGRIS_MUTANT");
  const auto is_given = [](const auto& one) { return one.first == "VERDIGRIS_MUTANT"; };
  if (mutant != nullptr && std::ranges::none_of(environment, is_given)) environment.emplace_back("VERDIGRIS_MUTANT", mutant);
  return environment;
}

// What clients may do on a side: through the connection fence and the write fence.
std::pair<bool, bool> open_and_closed(Connection& session) {
  const bool is_fenced = fence_state(session, soon()) != FenceState::open;
  const bool is_shut = is_access_closed(session, "shop", soon());
  return {!is_fenced && !is_shut, is_fenced && is_shut};
}

}  // namespace

Shop::Shop(const std::vector<std::pair<std::string, std::string>>& settings, const Majors& majors)
    : pair_(majors.blue, majors.green, options_of(settings)), pooler_(pair_.pooler("pooler")) {
  const DatasetOptions dataset{.tables = kTables, .megabytes = 1};
  create_dataset(pair_.blue().conninfo("verdigris", "shop"), dataset, [](const std::string&) {}, Deadline::after(60s));
  if (majors.is_schema_present) create_schema(pair_.green().conninfo("verdigris", "shop"), dataset, Deadline::after(60s));
  describe_sandbox(majors);
  prepare();
}

Shop::~Shop() = default;

void Shop::describe_sandbox(const Majors& majors) {
  state_ = {.dir = dir(), .phase = "ready", .blue = described(pair_.blue()), .green = described(pair_.green()),
            .pooler = {0, "", pooler_.pid(), pooler_.dir().string(), pooler_.port()}, .passfile = pooler_.passfile()};
  write_state(state_);
  write_migration(state_);
  write_playbook(state_, pooler_.ini(), majors.is_schema_present);
  write(state_.playbook(), replaced(read(state_.playbook()), "max_pause: 20s",
                                    "max_pause: 10s" + (majors.verify.empty() ? "" : ", verify: " + majors.verify)));
  if (!majors.groups.empty())
    write(state_.playbook(), replaced(read(state_.playbook()), "replication:\n", "replication:\n  groups: " + majors.groups + "\n"));
}

void Shop::prepare() {
  const auto answer = command({"prepare", "--yes"});
  if (answer.exit_code != 0) throw Error("test", "prepare ended with " + std::to_string(answer.exit_code) + answer.errors);
}

std::vector<std::string> Shop::program(std::vector<std::string> arguments) const {
  arguments.insert(arguments.begin(), VERDIGRIS_PROGRAM);
  for (const auto& more : {std::string("--json"), std::string("--playbook"), state_.playbook().string()})
    arguments.push_back(more);
  return arguments;
}

Answer Shop::command(std::vector<std::string> arguments, const Environment& environment) {
  const auto result =
      run_tool({program(std::move(arguments)), with_seeded_fault(environment), {}}, Deadline::after(120s));
  return {result.exit_code, parsed(result.output), result.errors};
}

Answer Shop::cross(const std::string& command_name, const Environment& environment) {
  Answer answer;
  for (int tries = 1; tries <= 3; ++tries) {
    answer = command({command_name, "--confirm", "shop"}, environment);
    if (answer.exit_code != 5 && answer.exit_code != 3) break;
  }
  return answer;
}

Environment Shop::with_points(Environment more) const {
  std::filesystem::remove(dir() / "points");
  more.emplace_back("VERDIGRIS_CRASH_LOG", (dir() / "points").string());
  return with_seeded_fault(std::move(more));
}

void Shop::wait_for_point(const std::string& point) const {
  const auto deadline = Deadline::after(60s);
  while (!has_passed(dir() / "points", point)) {
    if (deadline.has_passed()) throw Error("test", "nobody comes to the point " + point);
    std::this_thread::sleep_for(1ms);
  }
}

bool Shop::comes_to_point(const std::string& point, ChildProcess& crossing) const {
  const auto deadline = Deadline::after(60s);
  while (!has_passed(dir() / "points", point)) {
    if (!crossing.is_running()) return has_passed(dir() / "points", point);
    if (deadline.has_passed()) throw Error("test", "nobody comes to the point " + point);
    std::this_thread::sleep_for(1ms);
  }
  return true;
}

void Shop::start_load() {
  const auto output = dir() / ("load-" + std::to_string(++loads_));
  // Each session of a direct client is a process of a server; every 100 ms they took most of a small machine, 40 ms of it each.
  load_.emplace(ChildProcess::start({.argv = {VERDIGRIS_PROGRAM, "sandbox", "load", "--dir", dir().string(), "--rate",
                                              "50", "--clients", "4", "--seconds", "3600", "--direct-rest", "900",
                                              "--json"},
                                     .output = output.string() + ".out",
                                     .errors = output.string() + ".err",
                                     .death_signal = SIGTERM}));
  std::this_thread::sleep_for(1s);  // its clients have logged in
}

json Shop::stop_load() {
  load_->send(SIGTERM);
  if (!load_->wait_end(Deadline::after(100s))) throw Error("test", "the load does not end");
  load_.reset();
  const auto output = dir() / ("load-" + std::to_string(loads_));
  auto result = parsed(read(output.string() + ".out"));
  if (result.is_null()) throw Error("test", "the load said nothing: " + read(output.string() + ".err"));
  return result;
}

std::string Shop::serving() {
  Deployment d(load_playbook(state_.playbook()), [](const std::string&) {});
  d.connect(soon(), true);
  d.journal().load(soon());
  return d.standing().serves;
}

bool Shop::are_both_open() {
  for (const auto& color : {"blue", "green"}) {
    auto session = admin(server(color));
    if (!open_and_closed(session).first) return false;
  }
  return true;
}

Scene Shop::scene() {
  Scene scene;
  // What `verdigris status` says of it, without its questions about the next crossing: this is asked hundreds of times, and
  // a login is dear.
  Deployment d(load_playbook(state_.playbook()), [](const std::string&) {});
  d.connect(soon(), true);
  std::tie(scene.is_blue_open, scene.is_blue_closed) = open_and_closed(d.blue().control());
  std::tie(scene.is_green_open, scene.is_green_closed) = open_and_closed(d.green().control());
  d.journal().load(soon());
  const auto standing = d.standing();
  for (const auto& traffic : d.traffic().state(soon())) {  // none, if the playbook says so
    scene.is_paused = traffic.is_paused;
    const bool is_blue = traffic.target.color.empty() ? traffic.target.host == state_.blue.host : traffic.target.color == "blue";
    scene.routed_to = is_blue ? "blue" : "green";
  }
  scene.serves = standing.serves;
  scene.activity = standing.open ? "interrupted" : "none";
  scene.records = static_cast<std::int64_t>(d.journal().records().size());
  for (const bool flag : {scene.is_blue_open, scene.is_green_open, scene.is_blue_closed, scene.is_green_closed, scene.is_paused})
    scene.text += flag ? "yes " : "no ";
  scene.text += scene.routed_to + " " + scene.serves + " " + scene.activity + " " + std::to_string(scene.records) +
                      "\n" + read(pooler_.ini());
  return scene;
}

LedgerVerdict Shop::ledger(const std::string& color) {
  auto session = admin(server(color));
  return check_ledger(read_ledger(state_.ledger()), session, soon());
}

std::string Shop::difference_after_marker(const std::string& from, const std::string& to) {
  auto origin = admin(server(from));
  auto receiver = admin(server(to));
  const Streams streams(Stream::leaving(from, "shop"), groups_on(origin, "shop", soon()));
  wait_for_marker(receiver, streams, write_marker(origin, from, "test", soon()), soon());
  for (const std::string sql : {"SELECT count(*) || ' ' || sum(n) || ' ' || sum(seq_value) FROM public.ledger_a",
                                "SELECT count(*) || ' ' || sum(n) FROM public.ledger_b",
                                "SELECT sum(count) || ' ' || sum(sum) FROM public.ledger_totals",
                                "SELECT count(*) || ' ' || sum(credit) FROM public.customers"}) {
    const auto here = value(origin, sql);
    const auto there = value(receiver, sql);
    if (here != there) return sql + ": " + here + " on " + from + ", " + there + " on " + to;
  }
  return "";
}

}  // namespace verdigris::test
