#include <gtest/gtest.h>
#include <unistd.h>

#include "controller/sandbox/dataset.hpp"
#include "controller/sandbox/ledger_check.hpp"
#include "tests/support/cluster.hpp"

namespace verdigris::test {
namespace {

constexpr std::int64_t kFirst = 1'700'000'000'000;

// Ten writes of writer 1, all acknowledged and all there.
class Ledger : public testing::Test {
 protected:
  void SetUp() override {
    NEED_POSTGRES(15);
    Pair& pair = shared_pair(15, 15);
    create_schema(pair.blue().conninfo("verdigris", "shop"), {.tables = kFewestTables, .megabytes = 1}, soon());
    blue_.emplace(admin(pair.blue()));
    for (int i = 1; i <= 10; ++i) write(1, kFirst + i, i);
  }

  void write(int writer, std::int64_t n, std::int64_t seq_value) {
    store(writer, n, seq_value);
    remember(writer, n, seq_value);
  }

  void store(int writer, std::int64_t n, std::int64_t seq_value) {
    const std::string key = std::to_string(writer) + ", " + std::to_string(n);
    run(*blue_, "INSERT INTO public.ledger_a VALUES (" + key + ", " + std::to_string(seq_value) + ")");
    run(*blue_, "INSERT INTO public.ledger_b (writer, n) VALUES (" + key + ")");
    run(*blue_, "INSERT INTO public.ledger_totals AS t VALUES (" + std::to_string(writer) + ", 1, " +
                    std::to_string(n) +
                    ") ON CONFLICT (writer) DO UPDATE SET count = t.count + 1, sum = t.sum + excluded.sum");
  }

  void remember(int writer, std::int64_t n, std::int64_t seq_value, bool is_acknowledged = true) {
    ledger_.push_back({is_acknowledged, writer, n, seq_value, static_cast<std::int64_t>(ledger_.size())});
  }

  LedgerVerdict check() { return check_ledger(ledger_, *blue_, soon()); }

  std::vector<LedgerEntry> ledger_;
  std::optional<Connection> blue_;
};

TEST_F(Ledger, WholeOneIsClean) {
  const auto verdict = check();
  EXPECT_TRUE(verdict.is_clean());
  EXPECT_EQ(verdict.acknowledged, 10);
  EXPECT_EQ(verdict.turns, 0);
}

TEST_F(Ledger, FindsALostWrite) {
  run(*blue_, "DELETE FROM public.ledger_a WHERE n = 1700000000003");
  run(*blue_, "DELETE FROM public.ledger_b WHERE n = 1700000000003");
  const auto verdict = check();
  EXPECT_EQ(verdict.lost, 1);
  EXPECT_EQ(verdict.half, 0);
  EXPECT_NE(verdict.examples.at(0).find("1700000000003"), std::string::npos);
}

TEST_F(Ledger, FindsARowAppliedTwice) {
  run(*blue_, "INSERT INTO public.ledger_b (writer, n) VALUES (1, 1700000000004)");
  EXPECT_GE(check().duplicated, 1);
}

TEST_F(Ledger, FindsARunningSumAppliedTwice) {
  run(*blue_, "UPDATE public.ledger_totals SET count = count + 1, sum = sum + 1700000000004");
  EXPECT_EQ(check().duplicated, 1);
}

TEST_F(Ledger, FindsHalfATransaction) {
  remember(1, kFirst + 11, 11, false);
  run(*blue_, "INSERT INTO public.ledger_a VALUES (1, 1700000000011, 11)");
  EXPECT_EQ(check().half, 1);
}

TEST_F(Ledger, UnknownOutcomeMayBeThereOrNot) {
  store(1, kFirst + 11, 11);
  remember(1, kFirst + 11, 0, false);
  remember(1, kFirst + 12, 0, false);
  const auto verdict = check();
  EXPECT_TRUE(verdict.is_clean());
  EXPECT_EQ(verdict.unknown, 2);
}

TEST_F(Ledger, FindsAWriteThatNobodyMade) {
  store(7, kFirst + 1, 99);
  EXPECT_EQ(check().invented, 1);
}

TEST_F(Ledger, FindsASequenceValueGivenTwice) {
  write(2, kFirst + 1, 5);
  EXPECT_EQ(check().sequence_twice, 1);
}

TEST_F(Ledger, CountsHowOftenTheSideOfDirectWritesChanged) {
  write(kDirectToBlue, kFirst + 1, 20);
  write(kDirectToBlue + 1, kFirst + 2, 21);
  write(kDirectToGreen, kFirst + 1, 22);
  write(kDirectToBlue, kFirst + 3, 23);
  EXPECT_EQ(check().turns, 2);
}

TEST_F(Ledger, RowsOfAnEarlierLoadAreNotInvented) {
  ledger_.clear();
  write(3, kFirst + 50'000'000, 60);
  EXPECT_TRUE(check().is_clean());
}

TEST(LedgerFile, GivesBackWhatWasAppended) {
  const ScratchDir scratch;
  {
    LedgerFile file(scratch.path() / "ledger");
    LedgerBuffer buffer(file);
    buffer.add(true, 3, 17, 42);
    buffer.add(false, 4, 18, 0);
  }
  const auto entries = read_ledger(scratch.path() / "ledger");
  ASSERT_EQ(entries.size(), 2U);
  EXPECT_TRUE(entries[0].is_acknowledged);
  EXPECT_EQ(entries[0].writer, 3);
  EXPECT_EQ(entries[0].seq_value, 42);
  EXPECT_FALSE(entries[1].is_acknowledged);
  EXPECT_LE(entries[0].monotonic_ns, entries[1].monotonic_ns);
}

}  // namespace
}  // namespace verdigris::test
