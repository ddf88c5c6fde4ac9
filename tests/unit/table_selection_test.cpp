#include "replication/table_selection.hpp"

#include <gtest/gtest.h>

#include "replication/publication.hpp"
#include "replication/schema.hpp"

namespace verdigris {
namespace {

TEST(TableSelection, PatternsKnowStarAndQuestionMark) {
  EXPECT_TRUE(matches_pattern("*.*", "public.orders"));
  EXPECT_TRUE(matches_pattern("audit.*", "audit.log"));
  EXPECT_TRUE(matches_pattern("*.log_20??", "x.log_2026"));
  EXPECT_FALSE(matches_pattern("audit.*", "auditor.log"));
  EXPECT_FALSE(matches_pattern("*.log", "public.logs"));
  EXPECT_FALSE(matches_pattern("", "a"));
}

TEST(TableSelection, PartitionGoesWithItsRootAndUnloggedNever) {
  const TableSelection selection{.exclude = {"audit.*"}};
  Table leaf{.name = {"public", "log_1"}};
  EXPECT_TRUE(selection.selects(leaf));
  leaf.root.emplace("audit", "log");
  EXPECT_FALSE(selection.selects(leaf));
  EXPECT_FALSE(selection.selects(Table{.name = {"public", "u"}, .is_unlogged = true}));
  EXPECT_FALSE(selection.selects(Table{.name = {"public", "e"}, .is_extension_owned = true}));
}

TEST(TableSelection, PublicationNamesRootsAndNotPartitions) {
  const std::vector<Table> tables{
      {.name = {"public", "a"}},
      {.name = {"public", "p"}, .is_partitioned = true},
      {.name = {"public", "p1"}, .is_partition = true, .root = QualifiedName("public", "p")}};
  const auto list = publishable(tables);
  ASSERT_EQ(list.size(), 2U);
  EXPECT_EQ(list[1].name.display(), "public.p");
}

TEST(SchemaToc, FenceTriggersAreLeftOutAndOthersKept) {
  const std::string kept =
      ";\n; Archive\n215; 1259 16394 TABLE public orders app_owner\n"
      "3201; 2620 16500 TRIGGER public orders audit app_owner\n";
  const std::string ours = "3202; 2620 16501 TRIGGER public or ders verdigris_fence app_owner\n";
  EXPECT_EQ(filtered_toc(kept + ours), kept);
}

}  // namespace
}  // namespace verdigris
