// Warming green: what blue uses most is in green's cache afterwards, seen there block by block; with and without
// pg_prewarm, never more than its share and its time, and whatever is in the way is only said.
#include "replication/hot_relations.hpp"

#include <gtest/gtest.h>

#include <thread>

#include "tests/support/cluster.hpp"

namespace verdigris {
namespace {

using namespace std::chrono_literals;
using test::run;
using test::soon;
using test::value;

class HotRelations : public ::testing::Test {
 protected:
  void SetUp() override {
    NEED_POSTGRES(15);
    NEED_POSTGRES(17);
    pair_ = &test::shared_pair(15, 17);
    for (auto* server : {&pair_->blue(), &pair_->green()}) {
      auto on = test::admin(*server);
      run(on, R"(
        CREATE TABLE public.hot (id int PRIMARY KEY, filler text);
        INSERT INTO public.hot SELECT i, repeat('x', 500) FROM generate_series(1, 6000) AS i;
        CREATE TABLE public.cold (id int PRIMARY KEY, filler text);
        INSERT INTO public.cold SELECT i, repeat('x', 500) FROM generate_series(1, 3000) AS i;
        CREATE TABLE public.blue_alone (id int))");
      run(on, "VACUUM ANALYZE public.hot");
    }
    auto green = test::admin(pair_->green());
    run(green, "DROP TABLE public.blue_alone; CREATE EXTENSION pg_buffercache WITH SCHEMA public");
  }
  // By a session that ends, so that the server counts it now.
  void use_blue() {
    {
      auto blue = test::admin(pair_->blue());
      run(blue, "SELECT pg_stat_reset()");
      for (int i = 0; i < 5; ++i) run(blue, "SELECT filler FROM public.hot WHERE id = " + std::to_string(i));
      run(blue, "UPDATE public.hot SET filler = filler WHERE id < 100; INSERT INTO public.blue_alone VALUES (1)");
    }
    auto blue = test::admin(pair_->blue());
    for (const auto deadline = soon(); hot_relations(blue, 64, soon()).size() < 3; std::this_thread::sleep_for(20ms)) {
      run(blue, "SELECT pg_stat_clear_snapshot()");
      ASSERT_FALSE(deadline.has_passed());
    }
    hot_ = hot_relations(blue, 64, soon());
  }
  // Restarted, so that its cache is empty.
  Connection cold_green() {
    pair_->green().stop_fast();
    pair_->green().start();
    return test::admin(pair_->green());
  }
  int cached(const std::string& relation) {
    auto green = test::admin(pair_->green());
    return std::stoi(value(green,
                           "SELECT count(*) FROM public.pg_buffercache WHERE relforknumber = 0 AND relfilenode = "
                           "pg_relation_filenode('" +
                               relation +
                               "') AND reldatabase = (SELECT oid FROM pg_database WHERE "
                               "datname = current_database())"));
  }
  static int blocks(Connection& on, const std::string& relation) {
    return std::stoi(value(on, "SELECT pg_relation_size('" + relation + "') / 8192"));
  }

  test::Pair* pair_ = nullptr;
  std::vector<HotRelation> hot_;
};

TEST_F(HotRelations, AreThoseThatWereUsedTheMostUsedFirst) {
  ASSERT_NO_FATAL_FAILURE(use_blue());
  ASSERT_EQ(hot_.size(), 3U);
  EXPECT_EQ(hot_[0].table.display() + hot_[0].index, "public.hot");
  EXPECT_EQ(hot_[1].table.display() + "." + hot_[1].index, "public.hot.hot_pkey");
  EXPECT_EQ(hot_[2].table.display() + hot_[2].index, "public.blue_alone");
  auto blue = test::admin(pair_->blue());
  EXPECT_EQ(hot_relations(blue, 1, soon()).size(), 1U);
}

TEST_F(HotRelations, AreInTheCacheOfTheOtherSideAfterwards) {
  ASSERT_NO_FATAL_FAILURE(use_blue());
  for (const bool has_extension : {false, true}) {
    SCOPED_TRACE(has_extension);
    if (has_extension) {
      auto green = test::admin(pair_->green());
      run(green, "CREATE EXTENSION pg_prewarm WITH SCHEMA public");
    }
    auto green = cold_green();
    const int all = blocks(green, "public.hot"), of_index = blocks(green, "public.hot_pkey");
    ASSERT_GT(all, 300);
    ASSERT_LT(cached("public.hot"), all / 10);
    const auto report = warm(green, hot_, {});
    EXPECT_EQ(report.cut_short, "");
    EXPECT_EQ(report.tables, 1) << "green has no blue_alone";
    EXPECT_EQ(report.indexes, 1);
    EXPECT_EQ(report.by_extension, has_extension);
    EXPECT_EQ(cached("public.hot"), all);
    EXPECT_GE(cached("public.hot_pkey"), of_index - 1) << "all but its first page, which nobody needs to read it";
    EXPECT_EQ(cached("public.cold"), 0);
    EXPECT_NE(report.describe().find("1 table and 1 index, "), std::string::npos) << report.describe();
  }
}

TEST_F(HotRelations, KeepToTheirShareAndTheirTimeAndNeverFail) {
  ASSERT_NO_FATAL_FAILURE(use_blue());
  auto green = cold_green();
  const auto share = warm(green, hot_, {.share_of_buffers = 0.01});  // 81 of 8192 blocks
  EXPECT_EQ(share.cut_short, "its share of the cache is filled");
  EXPECT_EQ(share.bytes, 81 * 8192);
  EXPECT_EQ(warm(green, hot_, {.budget = 1ms}).cut_short, "its time was over");

  auto other = test::admin(pair_->green());
  run(other, "BEGIN; LOCK TABLE public.hot IN ACCESS EXCLUSIVE MODE");
  const auto begin = std::chrono::steady_clock::now();
  const auto locked = warm(green, hot_, {.budget = 300ms});
  EXPECT_EQ(locked.cut_short, "its time was over");
  EXPECT_LT(std::chrono::steady_clock::now() - begin, 1500ms);
  run(other, "ROLLBACK");
  auto gone = test::admin(pair_->green());
  run(other, "SELECT pg_terminate_backend(" + std::to_string(gone.backend_pid()) + ")");
  EXPECT_NE(warm(gone, hot_, {}).cut_short, "");
}

}  // namespace
}  // namespace verdigris
