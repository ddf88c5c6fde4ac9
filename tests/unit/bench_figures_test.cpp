// What a bench makes of what it saw: percentiles, and which milliseconds belong to the pause and to which part of it.
#include "bench/figures.hpp"

#include <gtest/gtest.h>

#include <cmath>
#include <numeric>

#include "bench/verdict.hpp"
#include "replication/errors.hpp"

namespace verdigris::bench {
namespace {

Json part(const std::string& step, double ms) {
  return {{"step", step}, {"ms", ms}};
}

Json report() {
  return {{"result", "done"},
          {"pause_ms", 150.0},
          {"parts",
           {part("warm_up", 500), part("pause_traffic", 10), part("fence_source", 20), part("prove_parity", 90),
            part("move_traffic", 5), part("start_reverse", 300)}}};
}

Crossing done(double pause_ms, double ms_of_fence) {
  return {.is_done = true, .pause_ms = pause_ms, .parts = {{"fence", ms_of_fence}}, .cpu_seconds = 0.5};
}

TEST(BenchSpread, IsMadeOfFiguresThatWereMeasured) {
  std::vector<double> hundred(100);
  std::iota(hundred.rbegin(), hundred.rend(), 1.0);
  const auto spread = spread_of(hundred);
  EXPECT_EQ(spread.p50, 50);
  EXPECT_EQ(spread.p95, 95);
  EXPECT_EQ(spread.p99, 99);
  EXPECT_EQ(spread.min, 1);
  EXPECT_EQ(spread.max, 100);
}

TEST(BenchSpread, OfFewAndOfNone) {
  EXPECT_EQ(spread_of({7}).p50, 7);
  EXPECT_EQ(spread_of({7}).p99, 7);
  EXPECT_EQ(spread_of({3, 1, 2}).p50, 2);
  EXPECT_EQ(spread_of({4, 3, 1, 2}).p50, 2) << "not a mean of two";
  EXPECT_EQ(spread_of({1, 2, 3}).p95, 3);
  EXPECT_EQ(spread_of({}).max, 0);
}

TEST(BenchAttribution, ParityIsToldApartAndStepsOutsideOfThePauseAreLeftOut) {
  const auto crossing = crossing_of_program(report());
  ASSERT_TRUE(crossing.is_done);
  EXPECT_EQ(crossing.pause_ms, 60);
  EXPECT_EQ(crossing.parity_ms, 90);
  std::string steps;
  for (const auto& one : crossing.parts) steps += one.step + " " + std::to_string(std::lround(one.ms)) + "; ";
  EXPECT_EQ(steps, "pause_traffic 10; fence_source 20; move_traffic 5; between steps 25; ");
}

TEST(BenchAttribution, PlanWithOtherWordsIsAnErrorAndNoWrongFigure) {
  auto renamed = report();
  renamed["parts"][4]["step"] = "free_traffic";
  EXPECT_THROW(crossing_of_program(renamed), Error);
}

TEST(BenchAttribution, WhatWasPutBackOrSaidNothingIsNoCutover) {
  EXPECT_FALSE(crossing_of_program({{"result", "undone"}, {"pause_ms", 90.0}, {"reason", "a long writer"}}).is_done);
  EXPECT_EQ(crossing_of_program({{"result", "undone"}, {"reason", "a long writer"}}).account, "a long writer");
  EXPECT_FALSE(crossing_of_program({{"result", "done"}, {"pause_ms", nullptr}}).is_done);
  EXPECT_FALSE(crossing_of_program(nullptr).is_done);
  EXPECT_FALSE(crossing_of_recipe(nullptr).is_done);
}

TEST(BenchAttribution, RecipeTellsItsOwnParts) {
  const auto crossing = crossing_of_recipe({{"pause_ms", 263.5}, {"parts", {part("pause", 3.5), part("drain", 250)}}});
  ASSERT_TRUE(crossing.is_done);
  EXPECT_EQ(crossing.pause_ms, 263.5);
  ASSERT_EQ(crossing.parts.size(), 3U);
  EXPECT_EQ(crossing.parts[2].step, "between steps");
  EXPECT_EQ(crossing.parts[2].ms, 10);
}

TEST(BenchFigures, OneObjectForAContestantOfWhatWasDone) {
  Tally tally{.contestant = "verdigris", .crossings = {done(30, 10), done(50, 12), {.pause_ms = 1000}, done(40, 0)}};
  tally.client_waits_ms = {1, 2, 90};
  tally.acknowledged = 3;
  tally.lost = 1;
  const auto json = json_of({"100 tables", 100, "15-17", 2.5}, tally);
  EXPECT_EQ(json.at("bench"), "stall");
  EXPECT_EQ(json.at("contestant"), "verdigris");
  EXPECT_EQ(json.at("majors"), "15-17");
  EXPECT_EQ(json.at("tables"), 100);
  EXPECT_EQ(json.at("pause_ms").at("p50"), 40);
  EXPECT_EQ(json.at("pause_ms").at("p95"), 50);
  EXPECT_EQ(json.at("parts").at("fence").at("p50"), 10);
  EXPECT_EQ(json.at("client_wait_ms").at("max"), 90);
  EXPECT_EQ(json.at("cutovers"), 3);
  EXPECT_EQ(json.at("undone"), 1);
  EXPECT_EQ(json.at("undone_pause_ms").at("max"), 1000);
  EXPECT_EQ(json.at("lost"), 1);
  EXPECT_EQ(json.at("errors"), 0);
  EXPECT_EQ(json.at("cpu_seconds"), 1.5);
  EXPECT_TRUE(json.at("parity_ms").is_null());
}

TEST(BenchFigures, TextPutsContestantsSideBySideWithTheRatioOfMedians) {
  const Tally ours{.contestant = "verdigris", .crossings = {done(30, 10)}};
  const Tally theirs{.contestant = "recipe", .crossings = {done(240, 10)}};
  const auto text = text_of({"100 tables", 100, "15-17", 2.5}, {ours, theirs});
  EXPECT_NE(text.find("recipe holds clients 8.0 times as long as verdigris"), std::string::npos) << text;
  EXPECT_NE(text.find("30.0 / 30.0 / 30.0     240.0 / 240.0 / 240.0"), std::string::npos) << text;
}

TEST(BenchVerdict, EachBrokenPromiseIsSaid) {
  const Scenario two{.dataset = "4 tables", .tables = 4, .cutovers = 2};
  Tally tally{.contestant = "verdigris", .crossings = {done(30, 10), done(31, 10)}, .client_waits_ms = {1, 5000}};
  EXPECT_TRUE(broken_promises(two, tally).empty());  // how long clients wait is a figure there
  tally.errors = 1;
  tally.lost = 2;
  tally.duplicated = 3;
  tally.crossings.pop_back();
  const std::vector<std::string> all{"verdigris: 1 errors of clients", "verdigris: 2 writes lost",
                                     "verdigris: 3 writes doubled", "verdigris: 1 of 2 cutovers were made"};
  EXPECT_EQ(broken_promises(two, tally), all);
}

TEST(BenchVerdict, TransactionThatOutlastsTheBudgetIsToBePutBackInTime) {
  const Scenario one{.dataset = "100 tables, transactions of 5 s", .cutovers = 1, .has_long_writer = true};
  Tally tally{.contestant = "verdigris", .crossings = {{.pause_ms = 554}}, .client_waits_ms = {1, 1050}};
  EXPECT_TRUE(broken_promises(one, tally).empty());
  tally.client_waits_ms.push_back(1051);
  EXPECT_EQ(broken_promises(one, tally),
            std::vector<std::string>{"verdigris: a client waited 1051 ms, the budget is 1000"});
  tally.client_waits_ms.clear();
  tally.crossings.front().is_done = true;
  EXPECT_EQ(broken_promises(one, tally),
            std::vector<std::string>{"verdigris: 0 of 1 cutovers were put back within the budget"});
}

}  // namespace
}  // namespace verdigris::bench
