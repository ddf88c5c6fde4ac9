#include "bench/copy.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <cmath>
#include <cstdlib>
#include <map>

#include "bench/copier.hpp"
#include "bench/copy_data.hpp"
#include "bench/cpu_time.hpp"
#include "controller/sandbox/roles.hpp"
#include "replication/errors.hpp"

namespace verdigris::bench {
namespace {

using namespace std::chrono_literals;

constexpr std::size_t kMostCopyExamples = 10;
constexpr double kGigabyte = 1e9;

double rounded(double value, int places) {
  const double scale = std::pow(10.0, places);
  return std::round(value * scale) / scale;
}

void create_database(World& world, const std::string& color) {
  world.session(color, "postgres")
      .execute(Sql("CREATE DATABASE {} TEMPLATE template0", Identifier(kCopied)), Deadline::after(60s));
}

// What a contestant's round cost.
struct Cost {
  double seconds = 0, cpu_seconds = 0;
};

Cost measured(World& world, Copier& copier) {
  const auto cpu = [&] {
    return cpu_seconds_of_children() + cpu_seconds_of_tree(world.server("blue").pid()) +
           cpu_seconds_of_tree(world.server("green").pid());
  };
  const double before = cpu();
  const auto began = std::chrono::steady_clock::now();
  copier.copy();
  const std::chrono::duration<double> took = std::chrono::steady_clock::now() - began;
  return {took.count(), cpu() - before + copier.server_cpu_seconds()};
}

void compare(const std::map<std::string, TableDigest>& blue, const std::map<std::string, TableDigest>& green,
             CopyTally& tally) {
  bool is_equal = true;
  for (const auto& [table, wanted] : blue) {
    const auto found = green.find(table);
    const TableDigest there = found == green.end() ? TableDigest{} : found->second;
    if (there == wanted) continue;
    is_equal = false;
    if (!table.empty()) tally.lost += std::max<std::int64_t>(0, wanted.rows - there.rows);
    if (tally.examples.size() < kMostCopyExamples)
      tally.examples.push_back(fmt::format("{}: {} rows, {} on green", table.empty() ? "indexes, constraints" : table,
                                           wanted.rows, there.rows));
  }
  if (!is_equal) ++tally.errors;
}

// A dump would carry what another has left on blue, and a slot would keep its WAL.
void require_clean(World& world) {
  auto blue = world.session("blue", kCopied);
  const Result answer = blue.query(Sql(R"(
      SELECT (SELECT count(*) FROM pg_catalog.pg_replication_slots) + (SELECT count(*) FROM pg_catalog.pg_publication) +
             (SELECT count(*) FROM pg_catalog.pg_namespace WHERE nspname !~ '^(pg_|public$|information_schema$)'))"),
                                   Deadline::after(60s));
  if (answer.one_row(1).integer(0) != 0) throw Error("bench.leftover", "a contestant has left something on blue");
}

void drop_copy(World& world) {
  auto postgres = world.session("green", "postgres");
  postgres.execute(Sql("DROP DATABASE {} WITH (FORCE)", Identifier(kCopied)), Deadline::after(60s));
  postgres.execute(Sql("CHECKPOINT"), Deadline::after(120s));
}

// One that fails is told, and the others go on.
void take_round(World& world, Copier& copier, const std::map<std::string, TableDigest>& blue, CopyTally& tally) {
  require_clean(world);
  create_database(world, "green");
  try {
    copier.make_ready();
    const auto cost = measured(world, copier);
    tally.seconds.push_back(cost.seconds);
    tally.cpu_seconds.push_back(cost.cpu_seconds);
    tally.peak_memory_kib = copier.peak_memory_kib();
    auto green = copier.filled();
    compare(blue, digests(green, Deadline::after(10min)), tally);
  } catch (const Error& error) {
    ++tally.errors;
    if (tally.examples.size() < kMostCopyExamples) tally.examples.push_back(error.what());
  }
  copier.clean();
  drop_copy(world);
}

CopyTally& tally_of(CopyOutcome& outcome, const Copier& copier) {
  for (auto& tally : outcome.tallies)
    if (tally.contestant == copier.contestant() && tally.variant == copier.variant()) return tally;
  return outcome.tallies.emplace_back(CopyTally{copier.contestant(), copier.variant()});
}

double database_gigabytes(World& world) {
  auto blue = world.session("blue", kCopied);
  const Result answer = blue.query(Sql("SELECT pg_catalog.pg_database_size(pg_catalog.current_database())"),
                                   Deadline::after(60s));
  return static_cast<double>(answer.one_row(1).integer(0)) / kGigabyte;
}

}  // namespace

std::vector<CopyScenario> copy_scenarios(bool is_quick) {
  std::vector<CopyScenario> result;
  for (const int major : is_quick ? std::vector{17} : std::vector{17, 15}) {
    const auto add = [&](const std::string& name, CopyData data, int size) {
      result.push_back({name, data, size, major, is_quick ? 3 : 5, is_quick});
    };
    const int share = is_quick ? 4 : 1;
    add("one table", CopyData::one_table, 5'000'000 / share);
    add("40 mixed tables", CopyData::mixed, 100'000 / share);
    add("TOAST", CopyData::toast, 30'000 / share);
    // A native subscription takes 80 ms for each: no more of them where all is to be done within ten minutes.
    add("tiny tables", CopyData::tiny, is_quick ? 300 : 5'000);
  }
  return result;
}

CopyOutcome run_copy(const CopyScenario& scenario, Interruption& interruption, const Say& say) {
  say(scenario.dataset + ": making servers and data");
  World world(false, scenario.green_major);
  for (const std::string color : {"blue", "green"}) {
    auto postgres = world.session(color, "postgres");
    create_application_roles(postgres, Deadline::after(60s));
  }
  create_database(world, "blue");
  create_copy_data(world.conninfo("blue", "verdigris", kCopied), scenario, Deadline::after(20min));
  CopyOutcome outcome{{scenario.dataset, scenario.size, world.majors(), 0}, database_gigabytes(world), {}};
  std::map<std::string, TableDigest> blue;
  {
    auto session = world.session("blue", kCopied);
    blue = digests(session, Deadline::after(10min));
  }
  const auto all = copiers(world, {scenario.is_quick, scenario.data != CopyData::tiny, scenario.contestants});
  for (const auto& copier : all) tally_of(outcome, *copier);  // in this order, whoever begins
  for (std::size_t turn = 0; turn < all.size() * static_cast<std::size_t>(scenario.rounds); ++turn) {
    if (interruption.has_come()) return {outcome.scene, outcome.gigabytes, {}};
    // Another one begins each round, so that none is always behind the same.
    const auto round = turn / all.size();
    auto& copier = *all[(turn + round) % all.size()];
    auto& tally = tally_of(outcome, copier);
    take_round(world, copier, blue, tally);
    say(fmt::format("{}, {}: {} ({}) {}", scenario.dataset, round + 1, tally.contestant, tally.variant,
                    tally.seconds.size() > round ? fmt::format("{:.1f} s", tally.seconds.back()) : "failed"));
  }
  ::getloadavg(&outcome.scene.load_average, 1);
  return outcome;
}

Json json_of(const CopyOutcome& outcome, const CopyTally& tally) {
  const auto seconds = spread_of(tally.seconds);
  const auto cpu = spread_of(tally.cpu_seconds);
  Json result{{"bench", "copy"},
              {"contestant", tally.contestant},
              {"variant", tally.variant},
              {"majors", outcome.scene.majors},
              {"dataset", outcome.scene.dataset},
              {"size", outcome.scene.tables},
              {"gigabytes", rounded(outcome.gigabytes, 3)},
              {"load_average", rounded(outcome.scene.load_average, 1)},
              {"rounds", tally.seconds.size()},
              {"seconds",
               {{"median", rounded(seconds.p50, 2)},
                {"p95", rounded(seconds.p95, 2)},
                {"min", rounded(seconds.min, 2)},
                {"max", rounded(seconds.max, 2)}}},
              {"cpu_seconds", rounded(cpu.p50, 2)},
              {"cpu_seconds_per_gb", rounded(cpu.p50 / outcome.gigabytes, 1)},
              {"peak_memory_mib", tally.peak_memory_kib == 0 ? Json(nullptr) : Json(tally.peak_memory_kib / 1024)},
              {"errors", tally.errors},
              {"lost", tally.lost}};
  if (!tally.examples.empty()) result["examples"] = tally.examples;
  return result;
}

std::string text_of(const CopyOutcome& outcome) {
  std::string text = fmt::format("{}, {}, {:.2f} GB with indexes, {} rounds, load {:.1f}\n", outcome.scene.dataset,
                                 outcome.scene.majors, outcome.gigabytes,
                                 outcome.tallies.front().seconds.size(),
                                 outcome.scene.load_average);
  text += fmt::format("  {:<24}{:<34}{:>22}{:>12}{:>8}\n", "contestant", "variant", "seconds median/min/max",
                      "CPU s/GB", "times");
  const double ours = spread_of(outcome.tallies.front().seconds).p50;
  for (const auto& tally : outcome.tallies) {
    const auto seconds = spread_of(tally.seconds);
    text += fmt::format("  {:<24}{:<34}{:>22}{:>12.1f}{:>8.2f}\n", tally.contestant, tally.variant,
                        fmt::format("{:.1f} / {:.1f} / {:.1f}", seconds.p50, seconds.min, seconds.max),
                        spread_of(tally.cpu_seconds).p50 / outcome.gigabytes, seconds.p50 / ours);
    if (tally.errors > 0) text += fmt::format("    {} rounds failed, or ended with other rows than blue's\n", tally.errors);
    for (const auto& example : tally.examples) text += "    " + example + "\n";
  }
  return text;
}

}  // namespace verdigris::bench
