#include "bench/parity.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <cmath>
#include <cstdlib>
#include <future>
#include <map>
#include <optional>

#include "bench/copier.hpp"
#include "bench/copy_data.hpp"
#include "bench/cpu_time.hpp"
#include "bench/parity_load.hpp"
#include "bench/program.hpp"
#include "controller/process.hpp"
#include "controller/sandbox/roles.hpp"
#include "replication/catalog.hpp"
#include "replication/errors.hpp"

namespace verdigris::bench {
namespace {

using namespace std::chrono_literals;

constexpr std::size_t kMostExamples = 5;
constexpr int kLoadClients = 8, kLoadRate = 200;

// What a round found, beside the time it took.
struct Found {
  std::int64_t settled = 0;
  std::vector<std::string> different = {};  // tables
};

class Comparer {
 public:
  explicit Comparer(std::string name) : name_(std::move(name)) {}
  virtual ~Comparer() = default;
  virtual Found compare(World& world) = 0;
  const std::string& name() const { return name_; }

 private:
  std::string name_;
};

// The whole program, as an operator calls it.
class Verify : public Comparer {
 public:
  Verify() : Comparer("verdigris") {}
  Found compare(World& world) override {
    const auto answer = run_tool({{program_path().string(), "verify", "--json", "--playbook", playbook_of(world).string()}, {}, {}},
                                 Deadline::after(30min));
    const auto document = Json::parse(answer.output, nullptr, false);
    if (document.is_discarded() || !document.contains("tables"))
      throw Error("bench.parity", "verify ended with " + std::to_string(answer.exit_code) + ": " + answer.errors);
    Found found;
    for (const auto& table : document["tables"]) {
      found.settled += table.value("settled", 0);
      if (!table["equal"].get<bool>()) found.different.push_back(table["name"]);
    }
    return found;
  }
};

// One statement for each table, both sides at once, one session a side; nothing aligns them.
class ByStatement : public Comparer {
 public:
  ByStatement(std::string name, Sql sum) : Comparer(std::move(name)), sum_(std::move(sum)) {}
  Found compare(World& world) override {
    auto green = std::async(std::launch::async, [&] { return sums(world, "green"); });
    const auto ours = sums(world, "blue"), theirs = green.get();
    Found found;
    for (const auto& [table, sum] : ours)
      if (const auto other = theirs.find(table); other == theirs.end() || other->second != sum) found.different.push_back(table);
    return found;
  }

 private:
  std::map<std::string, std::string> sums(World& world, const std::string& color) const {
    auto on = world.session(color, kCopied);
    const auto deadline = Deadline::after(30min);
    on.execute(Sql("SET max_parallel_workers_per_gather = 0; SET jit = off; SET work_mem = '64MB'"), deadline);
    std::map<std::string, std::string> all;
    for (const auto& table : user_tables(on, deadline)) {
      if (table.is_partitioned) continue;
      const Result answer = on.query(Sql("SELECT concat_ws(' ', {}) FROM ONLY {} AS t", sum_, table.name), deadline);
      all[table.name.display()] = answer.one_row(1).text(0);
    }
    return all;
  }
  Sql sum_;
};

std::vector<std::unique_ptr<Comparer>> comparers() {
  std::vector<std::unique_ptr<Comparer>> all;
  all.push_back(std::make_unique<Verify>());
  all.push_back(std::make_unique<ByStatement>("count", Sql("count(*)")));
  // As pgcopydb words it; and the checksum that most people write by hand.
  all.push_back(std::make_unique<ByStatement>("hashtext", Sql("count(*), sum(hashtext(t::text)::bigint)")));
  all.push_back(std::make_unique<ByStatement>("md5", Sql("count(*), md5(string_agg(md5(t::text), '' ORDER BY md5(t::text)))")));
  return all;
}

double cpu_seconds(World& world) {
  return cpu_seconds_of_children() + cpu_seconds_of_tree(world.server("blue").pid()) +
         cpu_seconds_of_tree(world.server("green").pid());
}

// Nothing differs here: whoever says so is wrong. Of a load that has its own share of the processors' time, too.
void take_round(World& world, Comparer& comparer, ParityLoad* load, ParityTally& tally) {
  if (load != nullptr) load->take_times();
  const double cpu = cpu_seconds(world);
  const auto began = std::chrono::steady_clock::now();
  try {
    const Found found = comparer.compare(world);
    const std::chrono::duration<double> took = std::chrono::steady_clock::now() - began;
    tally.seconds.push_back(took.count());
    tally.cpu_seconds.push_back(cpu_seconds(world) - cpu);
    tally.settled += found.settled;
    tally.errors += static_cast<std::int64_t>(found.different.size());
    for (const auto& table : found.different)
      if (tally.examples.size() < kMostExamples) tally.examples.push_back(table + " was called different");
  } catch (const Error& error) {
    ++tally.errors;
    if (tally.examples.size() < kMostExamples) tally.examples.push_back(error.what());
  }
  if (load == nullptr) return;
  const auto times = load->take_times();
  tally.load_ms.insert(tally.load_ms.end(), times.begin(), times.end());
}

// The load by itself, for as long as a comparison may take.
void rest(ParityLoad& load, ParityTally& tally) {
  load.take_times();
  std::this_thread::sleep_for(3s);
  const auto times = load.take_times();
  tally.load_ms.insert(tally.load_ms.end(), times.begin(), times.end());
}

void measure_data(World& world, ParityOutcome& outcome) {
  auto blue = world.session("blue", kCopied);
  const auto deadline = Deadline::after(10min);
  for (const auto& table : user_tables(blue, deadline, TableSizes::read)) {
    if (table.is_partitioned) continue;
    ++outcome.scene.tables;
    outcome.bytes += table.bytes;
    outcome.rows += blue.query(Sql("SELECT count(*) FROM ONLY {}", table.name), deadline).one_row(1).integer(0);
  }
}

void make_data(World& world, const ParityScenario& scenario) {
  for (const std::string color : {"blue", "green"}) {
    auto postgres = world.session(color, "postgres");
    create_application_roles(postgres, Deadline::after(60s));
    postgres.execute(Sql("CREATE DATABASE {} TEMPLATE template0", Identifier(kCopied)), Deadline::after(60s));
  }
  create_copy_data(world.conninfo("blue", "verdigris", kCopied), {.dataset = scenario.dataset, .data = scenario.data, .size = scenario.size}, Deadline::after(30min));
  create_written_table(world);
  world.session("blue", kCopied).execute(Sql("VACUUM (ANALYZE)"), Deadline::after(10min));
}

double rounded_to(double value, double unit) { return std::round(value / unit) * unit; }

}  // namespace

std::vector<ParityScenario> parity_scenarios(bool is_quick) {
  const int rows = is_quick ? 1'250'000 : 5'000'000, mixed = is_quick ? 8'000 : 50'000, tiny = is_quick ? 300 : 5'000;
  const int rounds = is_quick ? 3 : 5;
  std::vector<ParityScenario> all;
  for (const bool is_written : {false, true}) {
    const std::string how = is_written ? ", written to" : ", at rest";
    all.push_back({fmt::format("one table of {} rows{}", rows, how), CopyData::one_table, rows, is_written, rounds});
    all.push_back({fmt::format("40 mixed tables of {} rows{}", mixed, how), CopyData::mixed, mixed, is_written, rounds});
  }
  all.push_back({fmt::format("{} tiny tables, at rest", tiny), CopyData::tiny, tiny, false, rounds});
  return all;
}

ParityOutcome run_parity(const ParityScenario& scenario, Interruption& interruption, const Say& say) {
  say(scenario.dataset + ": making servers and data");
  World world(false);
  make_data(world, scenario);
  prepare_with(world, "prepare", {})->copy();
  ParityOutcome outcome{{scenario.dataset, 0, world.majors(), 0}, 0, 0, {}};
  measure_data(world, outcome);
  std::optional<ParityLoad> load;
  if (scenario.is_written) load.emplace(world, kLoadClients, kLoadRate);
  const auto all = comparers();
  for (const auto& comparer : all) outcome.tallies.push_back({comparer->name()});
  if (load) outcome.tallies.push_back({"load alone"});
  for (int round = 1; round <= scenario.rounds && !interruption.has_come(); ++round) {
    for (std::size_t i = 0; i < all.size(); ++i) take_round(world, *all[i], load ? &*load : nullptr, outcome.tallies[i]);
    if (load) rest(*load, outcome.tallies.back());
    say(fmt::format("{}: round {} of {}", scenario.dataset, round, scenario.rounds));
  }
  if (load) load->stop();
  if (interruption.has_come()) outcome.tallies.clear();
  ::getloadavg(&outcome.scene.load_average, 1);
  return outcome;
}

Json json_of(const ParityOutcome& outcome, const ParityTally& tally) {
  const auto spread = [](const std::vector<double>& values) {
    const auto all = spread_of(values);
    return Json{{"median", all.p50}, {"p95", all.p95}, {"min", all.min}, {"max", all.max}};
  };
  Json result{{"bench", "parity"},
              {"contestant", tally.contestant},
              {"majors", outcome.scene.majors},
              {"dataset", outcome.scene.dataset},
              {"tables", outcome.scene.tables},
              {"load_average", outcome.scene.load_average}};
  if (!tally.seconds.empty()) {
    const double median = spread_of(tally.seconds).p50;
    result.update(Json{{"seconds", spread(tally.seconds)},
                       {"rows_per_second", std::round(static_cast<double>(outcome.rows) / median)},
                       {"megabytes_per_second", rounded_to(static_cast<double>(outcome.bytes) / 1e6 / median, 0.1)},
                       {"cpu_seconds", spread_of(tally.cpu_seconds).p50},
                       {"settled", tally.settled}});
  }
  result.update(Json{{"errors", tally.errors}, {"lost", 0}});
  if (!tally.load_ms.empty()) result["load_ms"] = {{"p50", spread_of(tally.load_ms).p50}, {"p99", spread_of(tally.load_ms).p99}};
  if (!tally.examples.empty()) result["examples"] = tally.examples;
  return result;
}

std::string text_of(const ParityOutcome& outcome) {
  std::string text = fmt::format("{}, {} rows, {:.0f} MB, {}, load {:.1f}\n", outcome.scene.dataset, outcome.rows,
                                 static_cast<double>(outcome.bytes) / 1e6, outcome.scene.majors, outcome.scene.load_average);
  text += fmt::format("  {:<12}{:>24}{:>12}{:>8}{:>14}{:>12}\n", "contestant", "seconds median/min/max", "rows/s", "cpu s",
                      "called unequal", "load p99 ms");
  for (const auto& tally : outcome.tallies) {
    const auto seconds = spread_of(tally.seconds);
    text += fmt::format("  {:<12}{:>24}{:>12}{:>8.1f}{:>14}{:>12}\n", tally.contestant,
                        tally.seconds.empty() ? "" : fmt::format("{:.2f} / {:.2f} / {:.2f}", seconds.p50, seconds.min, seconds.max),
                        tally.seconds.empty() ? "" : fmt::format("{:.0f}", static_cast<double>(outcome.rows) / seconds.p50),
                        spread_of(tally.cpu_seconds).p50, tally.errors,
                        tally.load_ms.empty() ? "" : fmt::format("{:.1f}", spread_of(tally.load_ms).p99));
    for (const auto& example : tally.examples) text += "    " + example + "\n";
  }
  return text;
}

}  // namespace verdigris::bench
