// Which tables share a stream.
#include "replication/table_groups.hpp"

#include <gtest/gtest.h>

namespace verdigris {
namespace {

constexpr std::int64_t kMillion = 1'000'000;

QualifiedName t(const std::string& name) { return {"public", name}; }

std::vector<QualifiedName> names(const std::vector<std::string>& raw) {
  std::vector<QualifiedName> all;
  for (const auto& name : raw) all.push_back(t(name));
  return all;
}

std::string text(const TableGroups& groups) {
  std::string all;
  for (const auto& group : groups) {
    all += all.empty() ? "" : " | ";
    for (const auto& name : group) all += name.name().raw();
  }
  return all;
}

TEST(TableGroups, HalfTheCoresAndNoMoreThanDefaultLimitsBear) {
  const std::pair<int, int> cases[] = {{0, 1}, {1, 1}, {2, 1}, {3, 1}, {4, 2}, {7, 2}, {64, 2}};
  for (const auto& [cores, groups] : cases) EXPECT_EQ(groups_for_cores(cores), groups) << cores;
}

TEST(TableGroups, TheHeaviestFirstEachToTheLightest) {
  const std::vector<TableWeight> tables{
      {t("a"), 5 * kMillion}, {t("b"), 4 * kMillion}, {t("c"), 3 * kMillion}, {t("d"), 2 * kMillion}, {t("e"), 0}};
  EXPECT_EQ(text(groups_by_weight(tables, {}, 2)), "ade | bc");
  EXPECT_EQ(text(groups_by_weight(tables, {}, 1)), "abcde");
}

TEST(TableGroups, NeighboursStayTogetherAlsoByWayOfOthers) {
  const std::vector<TableWeight> tables{
      {t("a"), 5 * kMillion}, {t("b"), 4 * kMillion}, {t("c"), 3 * kMillion}, {t("d"), 2 * kMillion}};
  const std::vector<TableTie> chain{{t("a"), t("d"), "foreign key x"}, {t("d"), t("b"), "foreign key y"}};
  EXPECT_EQ(text(groups_by_weight(tables, chain, 3)), "abd | c");
  EXPECT_EQ(text(groups_by_weight(tables, {{t("a"), t("b"), ""}, {t("b"), t("c"), ""}, {t("c"), t("d"), ""}}, 4)), "abcd");
}

// Of tables that are not published, ties say nothing.
TEST(TableGroups, ATieToATableThatDoesNotTravelTiesNothing) {
  const std::vector<TableWeight> tables{{t("a"), 5 * kMillion}, {t("b"), 4 * kMillion}};
  EXPECT_EQ(text(groups_by_weight(tables, {{t("a"), t("x"), ""}, {t("x"), t("b"), ""}}, 2)), "a | b");
}

TEST(TableGroups, OneWhereLittleIsWrittenOrASecondWouldGetLittle) {
  EXPECT_EQ(text(groups_by_weight({{t("a"), 500'000}, {t("b"), 499'999}}, {}, 4)), "ab");
  EXPECT_EQ(text(groups_by_weight({{t("a"), 500'000}, {t("b"), 500'000}}, {}, 4)), "a | b");
  EXPECT_EQ(text(groups_by_weight({{t("a"), 96 * kMillion}, {t("b"), 4 * kMillion}}, {}, 4)), "ab");
  EXPECT_EQ(text(groups_by_weight({{t("a"), 90 * kMillion}, {t("b"), 6 * kMillion}, {t("c"), 4 * kMillion}}, {}, 4)), "a | bc");
  EXPECT_EQ(text(groups_by_weight({}, {}, 4)), "");
}

TEST(TableGroups, BySizeWhereNothingIsKnownOfWrites) {
  const std::int64_t gib = std::int64_t{1} << 30;
  EXPECT_EQ(text(groups_by_weight({{t("a"), 0, 9 * gib}, {t("b"), 0, 8 * gib}}, {}, 4)), "a | b");
  EXPECT_EQ(text(groups_by_weight({{t("a"), 0, 5 * gib}, {t("b"), 0, 4 * gib}}, {}, 4)), "ab");
}

TEST(TableGroups, WhatNoListNamesIsTheFirst) {
  const auto all = names({"a", "b", "c", "d"});
  EXPECT_EQ(text(groups_by_lists(all, {}, {{"public.c"}, {"public.a"}})), "bd | c | a");
  EXPECT_EQ(text(groups_by_lists(all, {}, {{"public.c", "public.d"}, {"public.a", "public.b"}})), "cd | ab");
  EXPECT_EQ(text(groups_by_lists(all, {}, {{"public.a", "public.b", "public.c", "public.d"}})), "abcd");
}

TEST(TableGroups, AListThatPartsNeighboursIsRefusedWithBothAndTheKey) {
  const std::vector<TableTie> ties{{t("lines"), t("orders"), "foreign key lines_order_fkey"}};
  const auto all = names({"lines", "orders", "other"});
  EXPECT_EQ(text(groups_by_lists(all, ties, {{"public.other"}})), "linesorders | other");
  EXPECT_EQ(text(groups_by_lists(all, ties, {{"public.lines", "public.orders"}})), "other | linesorders");
  for (const auto& lists : {std::vector<std::vector<std::string>>{{"public.lines"}}, {{"public.orders"}},
                            {{"public.lines"}, {"public.orders", "public.other"}}}) {
    try {
      groups_by_lists(all, ties, lists);
      ADD_FAILURE() << "accepted";
    } catch (const Refused& error) {
      EXPECT_EQ(error.id(), "repl.fk-groups");
      EXPECT_STREQ(error.what(), "replication.groups parts public.lines and public.orders, which foreign key lines_order_fkey ties together");
    }
  }
}

TEST(TableGroups, ANameThatIsNoPublishedTableIsRefused) {
  try {
    groups_by_lists(names({"a"}), {}, {{"public.b"}});
    ADD_FAILURE() << "accepted";
  } catch (const Refused& error) {
    EXPECT_EQ(error.id(), "repl.groups");
  }
}

TEST(Streams, HaveNamesAndMarkersOfTheirOwnAndTheFirstThoseOfADirection) {
  const Streams one(Stream::forward("shop"));
  EXPECT_EQ(one.size(), 1u);
  EXPECT_EQ(one.names(), "verdigris_shop_fwd");
  EXPECT_EQ(one.first().marker().display(), "verdigris.marker");
  const Streams three(Stream::reverse(std::string(40, 'x')), 3);
  EXPECT_EQ(three.size(), 3u);
  EXPECT_EQ(three[2].marker().display(), "verdigris.marker_g3");
  EXPECT_EQ(three[1].name, "verdigris_" + std::string(40, 'x') + "_rev_g2");
  EXPECT_LE(Streams(Stream::reverse(std::string(40, 'x')), 64)[63].name.size(), 63u);
  EXPECT_EQ(Streams(Stream::forward("s"), 2).names(), "verdigris_s_fwd and verdigris_s_fwd_g2");
}

}  // namespace
}  // namespace verdigris
