// A copy holds locks on blue's tables for as long as it runs. Whoever needs more of a table waits for them, and every
// writer of that table waits behind him: the copy gives way, reads on when the table is free, and misses nothing.
#include <gtest/gtest.h>

#include <atomic>
#include <thread>

#include "controller/steps/copy_tables.hpp"
#include "controller/steps/publish_source.hpp"
#include "replication/control_schema.hpp"
#include "replication/copy/copy_locks.hpp"
#include "replication/copy/snapshot_keeper.hpp"
#include "tests/support/cluster.hpp"
#include "tests/support/mutant.hpp"
#include "tests/support/pgbouncer_driver.hpp"

namespace verdigris::test {
namespace {

using namespace std::chrono_literals;

const Stream kStream = Stream::forward("shop");
constexpr int kTables = 6;
constexpr std::chrono::milliseconds kPatience{400};
// A look every half second finds him, a second one gives way; on a busy machine, twice that.
constexpr std::chrono::milliseconds kSoonEnough{3'000};

class CopyLocksTest : public testing::TestWithParam<std::pair<int, int>> {
 protected:
  void SetUp() override {
    NEED_POSTGRES(GetParam().first);
    NEED_POSTGRES(GetParam().second);
    pair = &shared_pair(GetParam().first, GetParam().second);
    blue.emplace(side(pair->blue(), "blue"));
    green.emplace(side(pair->green(), "green"));
    install_control_schema(blue->control(), "shop", "blue", soon());
    install_control_schema(green->control(), "shop", "green", soon());
    for (int i = 0; i < kTables; ++i) {
      const std::string table = "public.m" + std::to_string(i);
      for (auto* on : {&*blue, &*green})
        run(on->control(), "CREATE TABLE " + table + " (id int, v text); ALTER TABLE " + table + " REPLICA IDENTITY FULL");
      run(blue->control(), "INSERT INTO " + table + " SELECT g, repeat('y', 90) FROM generate_series(1, 6000) AS g");
    }
    PublishSource(Source(*blue), kStream, TableSelection{}).apply(soon());
  }
  void TearDown() override {
    if (blue) end_snapshot_keepers(blue->control(), "shop", nullptr, soon());
  }

  // Six to seven seconds of copying, in which `statement` is run on blue once rows are read. Returns how long
  // the slowest of the writers of m0 waited.
  std::chrono::milliseconds copy_beside(const std::string& statement, std::int64_t bytes_per_second = 600 << 10) {
    std::atomic<bool> is_over = false, has_begun = false;
    std::chrono::milliseconds longest{0};
    std::thread ddl([&] {
      auto on = admin(pair->blue());
      while (!has_begun && !is_over) std::this_thread::sleep_for(20ms);
      run(on, statement);
    });
    std::thread writer([&] {
      auto on = admin(pair->blue());
      for (int id = 100'000; !is_over; ++id) {
        const auto began = std::chrono::steady_clock::now();
        run(on, "INSERT INTO public.m0 VALUES (" + std::to_string(id) + ", 'later')");
        longest = std::max(longest, std::chrono::duration_cast<std::chrono::milliseconds>(std::chrono::steady_clock::now() - began));
        std::this_thread::sleep_for(50ms);
      }
    });
    CopyTables step(Source(*blue), Target(*green), kStream, {.workers = 2, .ddl_wait = kPatience}, 0,
                    CopyPace{.max_bytes_per_second = bytes_per_second}, true, [&](const std::string& text) {
                      said += text + "\n";
                      if (text.find("/6 tables") != std::string::npos) has_begun = true;
                    });
    error_of([&] { step.apply(Deadline::after(2min)); }, &error);
    is_over = true;
    ddl.join();
    writer.join();
    return longest;
  }

  std::string rows(Server& on) {
    std::string all;
    for (int i = 0; i < kTables; ++i)
      all += value(on.control(), "SELECT count(*) || md5(string_agg(t::text, '|' ORDER BY t::text)) FROM public.m" +
                                     std::to_string(i) + " AS t WHERE id < 100000") + " ";
    return all;
  }

  Pair* pair = nullptr;
  std::optional<Server> blue, green;
  std::string said, error;
};

TEST_P(CopyLocksTest, WritersWaitNoLongerThanTheCopyGivesWay) {
  const auto longest = copy_beside("ALTER TABLE public.m0 ADD CONSTRAINT positive CHECK (id > 0) NOT VALID");
  EXPECT_EQ(error, "");
  EXPECT_LT(longest, kSoonEnough);
  EXPECT_NE(said.find("blue: the copy gives way to pid "), std::string::npos) << said;
  EXPECT_NE(said.find("on public.m0: ALTER TABLE public.m0"), std::string::npos) << said;
  EXPECT_NE(said.find("blue: the copy goes on"), std::string::npos) << said;
  EXPECT_EQ(rows(*green), rows(*blue));
  EXPECT_EQ(value(blue->control(), "SELECT count(*) FROM pg_constraint WHERE conname = 'positive'"), "1");
}

// He has the first table, and waits for the second behind a session that reads it; writers of the first wait for him.
TEST_P(CopyLocksTest, WhoNeedsTwoTablesGetsTheSecondToo) {
  const auto longest = copy_beside(R"(
      BEGIN; ALTER TABLE public.m0 ADD CONSTRAINT positive CHECK (id > 0) NOT VALID;
      ALTER TABLE public.m1 ADD CONSTRAINT positive CHECK (id > 0) NOT VALID; COMMIT)",
                                   200 << 10);
  EXPECT_EQ(error, "");
  EXPECT_LT(longest, 2 * kSoonEnough);
  EXPECT_EQ(rows(*green), rows(*blue));
  EXPECT_EQ(value(blue->control(), "SELECT count(*) FROM pg_constraint WHERE conname = 'positive'"), "2");
}

TEST_P(CopyLocksTest, WithoutThatTheyWaitUntilTheCopyIsOver) {
  const Mutant mutant("copy_never_gives_way");
  EXPECT_GT(copy_beside("ALTER TABLE public.m0 ADD CONSTRAINT positive CHECK (id > 0) NOT VALID"), kSoonEnough);
  EXPECT_EQ(error, "");
}

TEST_P(CopyLocksTest, WhatIsDoneMeanwhileThatASnapshotDoesNotShowEndsTheCopy) {
  EXPECT_LT(copy_beside("TRUNCATE public.m0"), kSoonEnough);
  EXPECT_NE(error.find("altered or dropped during the copy, which had given way to pid "), std::string::npos) << error;
  EXPECT_NE(error.find("TRUNCATE public.m0"), std::string::npos) << error;
}

INSTANTIATE_TEST_SUITE_P(Majors, CopyLocksTest, testing::Values(std::pair{15, 17}, std::pair{13, 15}),
                         [](const auto& one) { return "From" + std::to_string(one.param.first); });

}  // namespace
}  // namespace verdigris::test
