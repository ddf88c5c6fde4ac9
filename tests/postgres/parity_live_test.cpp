// Comparing while writes flow: blue is written to, green follows by a subscription, snapshots are aligned by a marker.
#include <gtest/gtest.h>

#include <atomic>
#include <map>
#include <thread>

#include "healthcheck/parity/parity.hpp"
#include "replication/control_schema.hpp"
#include "replication/publication.hpp"
#include "replication/slot.hpp"
#include "replication/subscription.hpp"
#include "tests/support/cluster.hpp"

namespace verdigris {
namespace {

using test::run;
using test::soon;

std::map<std::string, TableVerdict> by_name(const ParityReport& report) {
  std::map<std::string, TableVerdict> out;
  for (const auto& table : report.tables) out.emplace(table.table.name().raw(), table);
  return out;
}

// Blue under writes, green following by a subscription of its own.
class LiveParity : public ::testing::TestWithParam<std::pair<int, int>> {
 protected:
  void SetUp() override {
    const auto [blue, green] = GetParam();
    NEED_POSTGRES(blue);
    NEED_POSTGRES(green);
    pair_ = &test::shared_pair(blue, green);
    source_.emplace(test::side(pair_->blue(), "blue"));
    target_.emplace(test::side(pair_->green(), "green"));
    blue_.emplace(test::admin(pair_->blue()));
    green_.emplace(test::admin(pair_->green()));
    for (auto* on : {&*blue_, &*green_}) run(*on, "SET search_path = public");
    for (auto* on : {&*blue_, &*green_})
      run(*on,
          "CREATE TABLE hot (id int PRIMARY KEY, v int NOT NULL); CREATE TABLE log (id bigserial PRIMARY KEY, t text);"
          "CREATE TABLE cold (id int PRIMARY KEY, v text); ALTER TABLE cold REPLICA IDENTITY FULL");
    install_control_schema(source_->control(), "shop", "blue", soon());
    install_control_schema(target_->control(), "shop", "green", soon());
    const Stream stream = Stream::forward("shop");
    ensure_publication(source_->control(), stream, publishable(user_tables(source_->control(), soon())), soon());
    ensure_slot(source_->control(), stream, soon());
    create_subscription(*target_, stream, pair_->blue().conninfo("verdigris_repl", "shop"), source_->major(), false, ApplyAs::owners_of_tables,
                        soon());
    enable_subscription(target_->control(), stream, soon());
    run(*blue_,
        "INSERT INTO hot SELECT g, 0 FROM generate_series(1, 50) g;"
        "INSERT INTO cold SELECT g, md5(g::text) FROM generate_series(1, 5000) g");
  }
  void TearDown() override {
    if (!target_) return;
    drop_subscription(target_->control(), Stream::forward("shop"), soon());
    drop_slot(source_->control(), Stream::forward("shop"), soon());
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
    return compare_live(*source_, *target_, Stream::forward("shop"), 1, rounds, {}, soon());
  }

  test::Pair* pair_ = nullptr;
  std::optional<Server> source_, target_;
  std::optional<Connection> blue_, green_;
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

const auto kMajors = ::testing::Values(std::pair(15, 17), std::pair(13, 18));
std::string majors_name(const ::testing::TestParamInfo<std::pair<int, int>>& info) {
  return "From" + std::to_string(info.param.first) + "To" + std::to_string(info.param.second);
}
INSTANTIATE_TEST_SUITE_P(Majors, LiveParity, kMajors, majors_name);

}  // namespace
}  // namespace verdigris
