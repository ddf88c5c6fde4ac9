// Which tables are copied in parts, and what is said of a copy under way.
#include <gtest/gtest.h>

#include "replication/copy/plan.hpp"
#include "replication/copy/progress.hpp"

namespace verdigris::test {
namespace {

using namespace std::chrono_literals;

constexpr std::int64_t kMiB = 1 << 20;

CopyItem item(const std::string& name, std::int64_t bytes) {
  return {.table = QualifiedName("public", name), .columns = {Identifier("a"), Identifier("b")}, .bytes = bytes};
}

TEST(CopySplit, OnlyATableThatWouldBeTheTailIsCopiedInPartsThatCoverIt) {
  const auto items = with_split_tail({item("big", 800 * kMiB), item("small", 100 * kMiB)}, {102400, 12800}, 2);
  ASSERT_EQ(items.size(), 5u);
  std::int64_t next = 0;
  for (const auto& one : items) {
    if (!one.part) continue;
    EXPECT_EQ(one.table.name().raw(), "big");
    EXPECT_EQ(one.part->from, next);
    EXPECT_EQ(one.bytes, 200 * kMiB);
    EXPECT_FALSE(one.is_frozen());
    next = one.part->to.value_or(-1);
  }
  EXPECT_EQ(next, -1) << "the last one goes on to the end, wherever it is by then";
  EXPECT_FALSE(items.back().part) << "the other one stays whole, and comes last";
  EXPECT_TRUE(items.back().is_frozen());
}

TEST(CopySplit, OthersStayWhole) {
  const auto whole = [](std::vector<CopyItem> items, std::vector<std::int64_t> blocks, int streams) {
    const auto count = items.size();
    const auto split = with_split_tail(std::move(items), blocks, streams);
    return split.size() == count && std::ranges::none_of(split, [](const auto& one) { return one.part.has_value(); });
  };
  EXPECT_TRUE(whole({item("a", 500 * kMiB), item("b", 450 * kMiB)}, {64000, 57600}, 2)) << "both streams have one";
  EXPECT_TRUE(whole({item("a", 500 * kMiB)}, {64000}, 1)) << "one stream";
  EXPECT_TRUE(whole({item("a", 10 * kMiB)}, {1280}, 2)) << "over in no time";
  EXPECT_TRUE(whole({item("a", 500 * kMiB)}, {0}, 2)) << "its size is not known";
  EXPECT_TRUE(whole({item("a", 500 * kMiB)}, {100}, 2)) << "few blocks, all of it is TOAST";
}

TEST(CopySplit, APartIsReadByItsBlocks) {
  auto part = item("t", 100);
  part.part = BlockRange{64, 128};
  EXPECT_EQ(copy_to(part).text(), R"(COPY (SELECT "a", "b" FROM ONLY "public"."t" WHERE ctid >= '(64,0)' AND ctid < '(128,0)') TO STDOUT (FORMAT text))");
  part.part = BlockRange{128, {}};
  EXPECT_EQ(copy_to(part).text(), R"(COPY (SELECT "a", "b" FROM ONLY "public"."t" WHERE ctid >= '(128,0)') TO STDOUT (FORMAT text))");
  EXPECT_EQ(copy_from(part).text(), R"(COPY "public"."t" ("a", "b") FROM STDIN (FORMAT text))");
  part.is_binary = true;
  EXPECT_TRUE(copy_to(part).text().ends_with("TO STDOUT (FORMAT binary)"));
  EXPECT_EQ(copy_from(part).text(), R"(COPY "public"."t" ("a", "b") FROM STDIN (FORMAT binary))");
  EXPECT_FALSE(item("tiny", 8192).is_frozen());
  EXPECT_TRUE(item("not tiny", kMiB).is_frozen());
}

TEST(CopyRate, IsOfTheLastWindow) {
  RateMeter meter(10s);
  const RateMeter::Clock::time_point begin{};
  EXPECT_EQ(meter.per_second(), 0);
  meter.note(0, begin);
  EXPECT_EQ(meter.per_second(), 0);
  meter.note(1000, begin + 1s);
  EXPECT_DOUBLE_EQ(meter.per_second(), 1000);
  for (int i = 2; i <= 30; ++i) meter.note(1000 + (i - 1) * 10, begin + std::chrono::seconds(i));
  EXPECT_DOUBLE_EQ(meter.per_second(), 10) << "what was long ago counts no more";
}

TEST(CopyRate, TimeLeftIsOfTheWholeOrOfItsLongestPart) {
  EXPECT_EQ(time_left(100, 10, 2, 0), std::nullopt);
  EXPECT_EQ(time_left(1000, 10, 2, 100), 10s);
  EXPECT_EQ(time_left(1000, 900, 2, 100), 18s) << "one stream has 50 a second";
}

TEST(CopyRate, IsSaidInALine) {
  CopyProgress now{.tables_done = 12, .tables = 40, .bytes_done = 88 * kMiB, .bytes = 755 * kMiB};
  EXPECT_EQ(text_of(now), "12/40 tables, 88 of 755 MiB (11 %)");
  now.bytes_per_second = 34.4 * kMiB;
  now.left = 20s;
  now.under_way = {"public.a", "public.b", "public.c"};
  EXPECT_EQ(text_of(now), "12/40 tables, 88 of 755 MiB (11 %), 34 MiB/s, about 20 s left; public.a, public.b and 1 more");
  now.left = 130min;
  EXPECT_NE(text_of(now).find("about 2 h 10 min left"), std::string::npos) << text_of(now);
}

// A stream is work for two cores where both servers share them; elsewhere only their operator knows the cores.
TEST(CopySplit, OnOneMachinePartsAreForHalfItsCores) {
  EXPECT_EQ(streams_for_parts(4, true, 2), 1);
  EXPECT_EQ(streams_for_parts(4, true, 1), 1);
  EXPECT_EQ(streams_for_parts(4, true, 6), 3);
  EXPECT_EQ(streams_for_parts(4, true, 64), 4);
  EXPECT_EQ(streams_for_parts(4, false, 2), 4);
}

}  // namespace
}  // namespace verdigris::test
