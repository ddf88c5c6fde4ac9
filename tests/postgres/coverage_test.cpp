// Coverage on real servers: a table that is not on its way is named, whichever of the sets it is missing from.
#include "healthcheck/coverage.hpp"

#include <gtest/gtest.h>

#include "replication/control_schema.hpp"
#include "replication/publication.hpp"
#include "replication/slot.hpp"
#include "replication/subscription.hpp"
#include "tests/support/cluster.hpp"

namespace verdigris {
namespace {

using test::run;
using test::soon;

class Coverage : public ::testing::Test {
 protected:
  void SetUp() override {
    NEED_POSTGRES(15);
    NEED_POSTGRES(17);
    pair_ = &test::shared_pair(15, 17);
    source_.emplace(test::side(pair_->blue(), "blue"));
    target_.emplace(test::side(pair_->green(), "green"));
    install_control_schema(source_->control(), "shop", "blue", soon());
    install_control_schema(target_->control(), "shop", "green", soon());
    on_both(
        "CREATE TABLE public.plain (id int PRIMARY KEY);"
        "CREATE TABLE public.tree (id int PRIMARY KEY) PARTITION BY RANGE (id);"
        "CREATE TABLE public.leaf PARTITION OF public.tree FOR VALUES FROM (0) TO (10);"
        "CREATE UNLOGGED TABLE public.cache (id int)");
    ensure_publication(source_->control(), stream_, publishable(user_tables(source_->control(), soon())), soon());
    ensure_slot(source_->control(), stream_, soon());
    create_subscription(*target_, stream_, pair_->blue().conninfo("verdigris_repl", "shop"), 15, false, ApplyAs::owners_of_tables, soon());
  }
  void TearDown() override {
    if (!target_) return;
    drop_subscription(target_->control(), stream_, soon());
    drop_slot(source_->control(), stream_, soon());
  }

  void on_both(const std::string& sql) {
    run(source_->control(), sql);
    run(target_->control(), sql);
  }
  Findings failures(const TableSelection& filter = {}) {
    Findings findings = coverage(source_->control(), target_->control(), stream_, soon(), filter);
    std::erase_if(findings, [](const Finding& finding) { return finding.level != Level::fail; });
    return findings;
  }

  test::Pair* pair_ = nullptr;
  std::optional<Server> source_, target_;
  const Stream stream_ = Stream::forward("shop");
};

TEST_F(Coverage, IsCompleteWithAPartitionTreeAndNamesWhatCannotReplicate) {
  EXPECT_TRUE(failures().empty()) << failures().front().text;
  const Findings all = coverage(source_->control(), target_->control(), stream_, soon());
  ASSERT_EQ(all.size(), 1U);
  EXPECT_EQ(all[0].text, "blue: not replicated: public.cache (unlogged)");
}

TEST_F(Coverage, NamesATableThatWasBornAfterPrepare) {
  on_both("CREATE TABLE public.late (id int PRIMARY KEY)");
  const Findings found = failures();
  ASSERT_EQ(found.size(), 1U);
  EXPECT_EQ(found[0].text, "blue: tables are not published: public.late");
  EXPECT_TRUE(failures({{"*.*"}, {"public.late"}}).empty()) << "excluded by the playbook";
}

TEST_F(Coverage, NamesAPartitionThatWasBornAfterPrepare) {
  on_both("CREATE TABLE public.leaf_2 PARTITION OF public.tree FOR VALUES FROM (10) TO (20)");
  const Findings found = failures();
  ASSERT_EQ(found.size(), 1U);
  EXPECT_EQ(found[0].id, "data.unsubscribed");
  EXPECT_NE(found[0].text.find("public.leaf_2"), std::string::npos);
}

TEST_F(Coverage, NamesATableThatLeftThePublicationOrTheTarget) {
  run(source_->control(), "ALTER PUBLICATION verdigris_shop_fwd DROP TABLE public.plain, verdigris.marker");
  run(target_->control(), "DROP TABLE public.plain");
  std::vector<std::string> ids;
  for (const auto& finding : failures()) ids.push_back(finding.id);
  EXPECT_EQ(ids, (std::vector<std::string>{"data.unpublished", "data.unpublished", "schema.missing-table"}));
}

TEST_F(Coverage, NamesATableThatIsNotReady) {
  run(target_->control(), "UPDATE pg_subscription_rel SET srsubstate = 'd' WHERE srrelid = 'public.plain'::regclass");
  const Findings found = failures();
  ASSERT_EQ(found.size(), 1U);
  EXPECT_NE(found[0].text.find("not ready: public.plain"), std::string::npos);
}

}  // namespace
}  // namespace verdigris
