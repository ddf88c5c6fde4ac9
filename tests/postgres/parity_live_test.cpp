// Comparing while writes flow: blue is written to, green follows by a subscription, snapshots are aligned by a marker.
#include <gtest/gtest.h>

#include <atomic>
#include <map>
#include <thread>

#include "healthcheck/parity/parity.hpp"
#include "replication/subscription.hpp"
#include "tests/support/following_pair.hpp"

namespace verdigris {
namespace {

using test::run;
using test::soon;

std::map<std::string, TableVerdict> by_name(const ParityReport& report) {
  std::map<std::string, TableVerdict> out;
  for (const auto& table : report.tables) out.emplace(table.table.name().raw(), table);
  return out;
}

// Blue under writes.
class LiveParity : public test::FollowingPair {
 protected:
  void SetUp() override {
    FollowingPair::SetUp();
    if (IsSkipped()) return;
    on_both("CREATE TABLE hot (id int PRIMARY KEY, v int NOT NULL); CREATE TABLE log (id bigserial PRIMARY KEY, t text);"
            "CREATE TABLE cold (id int PRIMARY KEY, v text); ALTER TABLE cold REPLICA IDENTITY FULL");
    follow();
    run(*blue_,
        "INSERT INTO hot SELECT g, 0 FROM generate_series(1, 50) g;"
        "INSERT INTO cold SELECT g, md5(g::text) FROM generate_series(1, 5000) g");
  }

  // Two writers at about 100 transactions a second each, until told to stop.
  void write_until(const std::atomic<bool>& is_over) {
    Connection writer = test::admin(pair_->blue());
    run(writer, "SET search_path = public");
    while (!is_over) {
      run(writer,
          "BEGIN; UPDATE hot SET v = v + 1 WHERE id = 1 + floor(random() * 50)::int;"
          "INSERT INTO log (t) VALUES (md5(random()::text)); COMMIT");
      std::this_thread::sleep_for(std::chrono::milliseconds(8));
    }
  }

  ParityReport compare_now(int rounds) {
    return compare_live(*source_, *target_, Stream::forward("shop"), {.rounds = rounds}, {}, soon());
  }
};

TEST_P(LiveParity, ReportsNothingFalseUnderWritesAndFindsWhatDiffers) {
  std::atomic<bool> is_over = false;
  std::thread first([&] { write_until(is_over); });
  std::thread second([&] { write_until(is_over); });
  for (int i = 0; i < 10; ++i) {
    const ParityReport report = compare_now(10);
    for (const auto& [name, verdict] : by_name(report)) EXPECT_TRUE(verdict.is_equal) << name << " in run " << i;
    EXPECT_EQ(report.tables.size(), 3U);
    EXPECT_GT(report.position, Lsn{});
  }
  run(*green_, "UPDATE cold SET v = v || ' ' WHERE id = 4711");
  const auto verdicts = by_name(compare_now(4));
  is_over = true;
  first.join();
  second.join();
  EXPECT_FALSE(verdicts.at("cold").is_equal);
  EXPECT_TRUE(verdicts.at("hot").is_equal);
  EXPECT_TRUE(verdicts.at("log").is_equal);
}

TEST_P(LiveParity, SaysThatNothingCanBeComparedWhileTheStreamStandsStill) {
  disable_subscription(target_->control(), Stream::forward("shop"), soon());
  try {
    compare_now(1);
    FAIL() << "it compared";
  } catch (const Refused& error) {
    EXPECT_EQ(error.id(), "stream.stopped");
  }
}

TEST_P(LiveParity, WaitsForALockOnTheMarkerThatADeadControllerLeft) {
  // What a controller that died right after taking the lock leaves behind.
  Connection locker = test::admin(pair_->green());
  run(locker, "BEGIN; SET LOCAL idle_in_transaction_session_timeout = '2s'; LOCK TABLE verdigris.marker IN SHARE MODE");
  const ParityReport report = compare_now(3);
  EXPECT_TRUE(report.is_equal());
}

INSTANTIATE_TEST_SUITE_P(Majors, LiveParity, ::testing::Values(std::pair(15, 17), std::pair(13, 18)), test::majors_name);

}  // namespace
}  // namespace verdigris
