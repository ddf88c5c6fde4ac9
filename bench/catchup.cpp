#include "bench/catchup.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <cstdlib>
#include <future>

#include "bench/copier.hpp"
#include "bench/copy_data.hpp"
#include "bench/cpu_time.hpp"
#include "bench/scenario.hpp"
#include "controller/sandbox/roles.hpp"
#include "replication/errors.hpp"

namespace verdigris::bench {
namespace {

using namespace std::chrono_literals;
using Clock = std::chrono::steady_clock;

constexpr int kWriters = 4;
constexpr int kTablesOfAWriter = 2;
constexpr int kRows = 20'000;
constexpr const char* kTwoGroups = "  groups: [[public.busy_5, public.busy_6, public.busy_7, public.busy_8]]\n";

double seconds_since(Clock::time_point began) { return std::chrono::duration<double>(Clock::now() - began).count(); }

Identifier busy(int number) { return Identifier("busy_" + std::to_string(number)); }

void create_busy_tables(World& world) {
  auto on = world.session("blue", kCopied);
  const auto deadline = Deadline::after(120s);
  on.execute(Sql("GRANT USAGE, CREATE ON SCHEMA public TO app_owner; SET ROLE app_owner"), deadline);
  for (int i = 1; i <= kWriters * kTablesOfAWriter; ++i)
    on.execute(Sql(R"(
        CREATE TABLE public.{} (id int PRIMARY KEY, customer int NOT NULL, amount numeric(12,2) NOT NULL, note text);
        INSERT INTO public.{} SELECT g, g % 997, g, repeat('note ', 8) FROM generate_series(1, {}) g;
        CREATE INDEX ON public.{} (customer))",
                   busy(i), busy(i), Number(kRows), busy(i)),
               deadline);
}

// Small transactions, as applications write: two updates and an insert each, by their own writer in their own tables.
void write(World& world, int writer, int transactions, int round) {
  auto on = world.session("blue", kCopied);
  const auto first = busy(2 * writer - 1), second = busy(2 * writer);
  on.execute(Sql("SET synchronous_commit = off"), Deadline::after(60s));  // by itself: else DO may not commit
  on.execute(Sql(R"(
      DO $$
      BEGIN
        FOR n IN 1 .. {} LOOP
          UPDATE public.{} SET amount = amount + 1 WHERE id = 1 + (n::bigint * 7919) % {};
          UPDATE public.{} SET amount = amount + 1, customer = n % 997 WHERE id = 1 + (n::bigint * 104729) % {};
          INSERT INTO public.{} VALUES ({} + n, n % 997, n, 'new');
          COMMIT;
        END LOOP;
      END $$)",
                 Number(transactions), first, Number(kRows), second, Number(kRows), first,
                 Number(1'000'000LL * (round + 1))),
             Deadline::after(10min));
}

void enable(World& world, bool is_on) {
  auto green = world.session("green", kCopied);
  const Result answer = green.query(Sql(R"(
      SELECT subname FROM pg_catalog.pg_subscription
      WHERE subdbid = (SELECT oid FROM pg_catalog.pg_database WHERE datname = current_database()))"),
                                    Deadline::after(60s));
  for (const Row& row : answer.rows(1)) {
    const Identifier name{std::string(row.text(0))};
    green.execute(is_on ? Sql("ALTER SUBSCRIPTION {} ENABLE", name) : Sql("ALTER SUBSCRIPTION {} DISABLE", name),
                  Deadline::after(60s));
  }
}

std::int64_t rows_of_last(Connection& on) {
  std::vector<Sql> counts;
  for (int i = 1; i <= kWriters * kTablesOfAWriter; ++i)
    counts.push_back(Sql("(SELECT count(*) FROM public.{} WHERE id < 0)", busy(i)));
  return on.query(Sql("SELECT {}", Sql::joined(counts, " + ")), Deadline::after(60s)).one_row(1).integer(0);
}

// One row behind all others in each table: with all of them everything is there, whichever stream brings it.
void wait_for_last_rows(World& world, int round) {
  auto green = world.session("green", kCopied);
  const auto end = Deadline::after(10min);
  while (rows_of_last(green) < kWriters * kTablesOfAWriter * (round + 1)) {
    if (end.has_passed()) throw Error("bench.catchup", "green has not caught up within ten minutes");
    std::this_thread::sleep_for(10ms);
  }
}

void write_last_rows(World& world, int round) {
  auto blue = world.session("blue", kCopied);
  for (int i = 1; i <= kWriters * kTablesOfAWriter; ++i)
    blue.execute(Sql("INSERT INTO public.{} VALUES ({}, 0, 0, 'last')", busy(i), Number(-1 - round)), Deadline::after(60s));
}

double cpu_of_servers(World& world) {
  return cpu_seconds_of_tree(world.server("blue").pid()) + cpu_seconds_of_tree(world.server("green").pid());
}

void take_round(World& world, CatchupTally& tally, int transactions, int round) {
  enable(world, false);
  const auto began = Clock::now();
  std::vector<std::future<void>> writers;
  for (int writer = 1; writer <= kWriters; ++writer)
    writers.push_back(std::async(std::launch::async, [&, writer] { write(world, writer, transactions / kWriters, round); }));
  for (auto& writer : writers) writer.get();
  tally.writer_seconds.push_back(seconds_since(began));
  write_last_rows(world, round);
  const double cpu = cpu_of_servers(world);
  const auto on = Clock::now();
  enable(world, true);
  wait_for_last_rows(world, round);
  tally.seconds.push_back(seconds_since(on));
  tally.cpu_seconds.push_back(cpu_of_servers(world) - cpu);
}

void compare(World& world, CatchupTally& tally) {
  auto blue = world.session("blue", kCopied), green = world.session("green", kCopied);
  auto expected = digests(blue, Deadline::after(5min)), found = digests(green, Deadline::after(5min));
  for (const auto& [table, digest] : expected) {
    if (!table.starts_with("public.") || digest == found[table]) continue;
    ++tally.errors;
    tally.lost += std::max<std::int64_t>(0, digest.rows - found[table].rows);
    tally.examples.push_back(table + " differs");
  }
}

}  // namespace

CatchupOutcome run_catchup(bool is_quick, Interruption& interruption, const Say& say) {
  const int transactions = is_quick ? 40'000 : 200'000, rounds = is_quick ? 3 : 5;
  CatchupOutcome outcome{{"8 busy tables", kWriters * kTablesOfAWriter, {}, 0}, transactions, {}};
  const auto run_one = [&](const auto& make) {
    World world(false);
    outcome.scene.majors = world.majors();
    for (const std::string color : {"blue", "green"}) {
      auto postgres = world.session(color, "postgres");
      create_application_roles(postgres, Deadline::after(60s));
      postgres.execute(Sql("CREATE DATABASE {} TEMPLATE template0", Identifier(kCopied)), Deadline::after(60s));
    }
    create_busy_tables(world);
    const auto copier = make(world);
    auto& tally = outcome.tallies.emplace_back(CatchupTally{copier->contestant(), copier->variant()});
    copier->copy();
    for (int round = 0; round < rounds && !interruption.has_come(); ++round) {
      take_round(world, tally, transactions, round);
      say(fmt::format("catchup, {}: {} ({}) {:.1f} s, its writers {:.1f} s", round + 1, tally.contestant, tally.variant,
                      tally.seconds.back(), tally.writer_seconds.back()));
    }
    compare(world, tally);
  };
  run_one([](World& world) { return prepare_with(world, "one stream", {}); });
  run_one([](World& world) { return prepare_with(world, "two streams", kTwoGroups); });
  run_one([](World& world) { return native_subscription(world); });
  if (interruption.has_come()) outcome.tallies.clear();
  ::getloadavg(&outcome.scene.load_average, 1);
  return outcome;
}

Json json_of(const CatchupOutcome& outcome, const CatchupTally& tally) {
  const auto spread = [](const std::vector<double>& values) {
    const auto all = spread_of(values);
    return Json{{"median", all.p50}, {"p95", all.p95}, {"min", all.min}, {"max", all.max}};
  };
  Json result{{"bench", "catchup"},
              {"contestant", tally.contestant},
              {"variant", tally.variant},
              {"majors", outcome.scene.majors},
              {"dataset", outcome.scene.dataset},
              {"transactions", outcome.transactions},
              {"load_average", outcome.scene.load_average},
              {"seconds", spread(tally.seconds)},
              {"writer_seconds", spread(tally.writer_seconds)},
              {"cpu_seconds", spread_of(tally.cpu_seconds).p50},
              {"errors", tally.errors},
              {"lost", tally.lost}};
  if (!tally.examples.empty()) result["examples"] = tally.examples;
  return result;
}

std::string text_of(const CatchupOutcome& outcome) {
  std::string text = fmt::format("{} transactions of four writers into {}, {}, load {:.1f}\n", outcome.transactions,
                                 outcome.scene.dataset, outcome.scene.majors, outcome.scene.load_average);
  text += fmt::format("  {:<14}{:<16}{:>24}{:>18}{:>10}\n", "contestant", "variant", "seconds median/min/max",
                      "writers' seconds", "tx/s");
  for (const auto& tally : outcome.tallies) {
    const auto seconds = spread_of(tally.seconds);
    text += fmt::format("  {:<14}{:<16}{:>24}{:>18.1f}{:>10.0f}\n", tally.contestant, tally.variant,
                        fmt::format("{:.1f} / {:.1f} / {:.1f}", seconds.p50, seconds.min, seconds.max),
                        spread_of(tally.writer_seconds).p50, outcome.transactions / seconds.p50);
    for (const auto& example : tally.examples) text += "    " + example + "\n";
  }
  return text;
}

}  // namespace verdigris::bench
