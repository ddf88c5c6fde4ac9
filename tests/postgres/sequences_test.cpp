// Where sequences are, read as the window reads them: in one round trip, while the target still applies.
#include "replication/sequences.hpp"

#include <gtest/gtest.h>

#include "controller/source_look.hpp"
#include "replication/access.hpp"
#include "tests/support/cluster.hpp"

namespace verdigris {
namespace {

using test::run;
using test::soon;
using test::value;

// 250 sequences, half of them used: the exact reading takes more than one group.
class Sequences : public ::testing::TestWithParam<int> {
 protected:
  void SetUp() override {
    NEED_POSTGRES(GetParam());
    pair_ = &test::shared_pair(GetParam(), GetParam());
    on_.emplace(test::admin(pair_->blue()));
    run(*on_, R"(
      DO $$ BEGIN
        FOR i IN 1 .. 250 LOOP
          EXECUTE format('CREATE SEQUENCE public.s%s', i);
          IF i % 2 = 0 THEN PERFORM nextval(format('public.s%s', i)); END IF;
        END LOOP;
      END $$)");
    blue_.emplace(test::side(pair_->blue(), "blue"));
    green_.emplace(test::side(pair_->green(), "green"));
  }

  // One by one, from the relations themselves.
  void expect_exact(const std::vector<SequencePosition>& read) {
    ASSERT_EQ(read.size(), 250U);
    for (const auto& one : read)
      EXPECT_EQ(value(*on_, Sql("SELECT last_value || ' ' || is_called FROM {}", one.name).text()),
                std::to_string(one.last_value) + (one.is_called ? " true" : " false"))
          << one.name.display();
  }

  test::Pair* pair_ = nullptr;
  std::optional<Connection> on_;
  std::optional<Server> blue_, green_;
};

TEST_P(Sequences, AreReadExactlyWhateverWasDoneToThem) {
  SequenceReader reader(*blue_);
  reader.prepare(soon());
  expect_exact(reader.read(soon()));
  // Each way from used to unused and back, after the statement was prepared.
  run(*on_, "SELECT nextval('public.s1'), setval('public.s3', 70, false), setval('public.s2', 7, false), nextval('public.s4')");
  run(*on_, "ALTER SEQUENCE public.s6 RESTART WITH 400");
  run(*on_, "ALTER SEQUENCE public.s5 RESTART WITH 500");
  expect_exact(reader.read(soon()));
  run(*on_, "SELECT nextval('public.s2'), setval('public.s3', 71, true)");
  expect_exact(reader.read(soon()));
}

TEST_P(Sequences, OfTheTargetAreReadAnewBecauseATruncateSetsThemBack) {
  run(green_->control(), "CREATE SEQUENCE public.s2; CREATE SEQUENCE public.s4");
  SequencePair pair(*blue_, *green_);
  const auto now = [&] {
    pair.target.send_storage(soon());
    return pair.target.receive_unless_replaced(soon());
  };
  pair.target.note_storage(soon());
  const auto ahead = pair.outgrown_ones(soon());
  set_sequences(green_->control(), ahead, soon());
  pair.target.assume(ahead);
  EXPECT_TRUE(outgrown(pair.source.read(soon()), now()).empty());
  EXPECT_EQ(now(), sequence_positions(green_->control(), soon())) << "what was assumed is what is there";
  run(green_->control(), "CREATE TABLE public.t (id int GENERATED ALWAYS AS IDENTITY)");
  run(green_->control(), "ALTER SEQUENCE public.s4 OWNED BY public.t.id; TRUNCATE public.t RESTART IDENTITY");
  const auto again = outgrown(pair.source.read(soon()), now());
  ASSERT_EQ(again.size(), 1U);
  EXPECT_EQ(again[0].name.display(), "public.s4");
  set_sequences(green_->control(), again, soon());
  EXPECT_EQ(value(green_->control(), "SELECT nextval('public.s4')"), "2");
}

TEST_P(Sequences, AreTakenWhileTheTargetDrainsOnlyIfNobodyIsLeftOnTheSource) {
  SequencePair pair(*blue_, *green_);
  pair.prepare(soon());
  {
    SourceLook look(Source(*blue_), pair.source);
    look.begin(false, soon());
    EXPECT_FALSE(look.finish(soon())) << "the test's own session could still call nextval";
  }
  on_->close();
  for (bool is_alone = false; !is_alone;) is_alone = foreign_sessions(blue_->control(), blue_->deployment(), soon()).empty();
  SourceLook look(Source(*blue_), pair.source);
  look.begin(false, soon());
  const auto positions = look.finish(soon());
  ASSERT_TRUE(positions);
  EXPECT_EQ(*positions, sequence_positions(blue_->control(), soon()));
}

TEST_P(Sequences, ALookThatIsBrokenOffLeavesNoAnswerUnderWay) {
  SequencePair pair(*blue_, *green_);
  {
    SourceLook look(Source(*blue_), pair.source);
    look.begin(false, soon());
  }
  EXPECT_EQ(value(blue_->control(), "SELECT 7"), "7") << "the session that holds the lease is still of use";
}

INSTANTIATE_TEST_SUITE_P(Majors, Sequences, ::testing::Values(13, 15, 18));

}  // namespace
}  // namespace verdigris
