// Sessions against real servers: deadlines, doubt at COMMIT, pinned settings, sequences and markers.
#include <gtest/gtest.h>

#include <set>
#include <thread>

#include "replication/access.hpp"
#include "replication/control_schema.hpp"
#include "replication/fence.hpp"
#include "replication/identity.hpp"
#include "replication/marker.hpp"
#include "replication/origin.hpp"
#include "replication/sequences.hpp"
#include "tests/support/cluster.hpp"
#include "tests/support/mutant.hpp"

namespace verdigris {
namespace {

using namespace std::chrono_literals;
using test::run;
using test::soon;
using test::value;

class Session : public ::testing::TestWithParam<int> {
 protected:
  void SetUp() override {
    NEED_POSTGRES(GetParam());
    pair_ = &test::shared_pair(GetParam(), GetParam());
    on_.emplace(test::admin(pair_->blue()));
  }
  test::Pair* pair_ = nullptr;
  std::optional<Connection> on_;
};

TEST_P(Session, IsClosedAndNeverReusedAfterItsDeadline) {
  EXPECT_THROW(on_->query(Sql("SELECT pg_sleep(5)"), Deadline::after(50ms)), DeadlinePassed);
  EXPECT_FALSE(on_->is_open());
  EXPECT_THROW(on_->query(Sql("SELECT 1"), soon()), ConnectionLost);
}

TEST_P(Session, SaysThatItDoesNotKnowWhenItIsLostInCommit) {
  run(*on_, R"(
    CREATE TABLE public.t (v int);
    CREATE FUNCTION public.slow() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN PERFORM pg_catalog.pg_sleep(5); RETURN NULL; END';
    CREATE CONSTRAINT TRIGGER slow AFTER INSERT ON public.t INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION public.slow())");
  Transaction transaction(*on_, Deadline::after(300ms));
  transaction.execute(Sql("INSERT INTO public.t VALUES (1)"));
  EXPECT_THROW(transaction.commit(), OutcomeUnknown);
}

TEST_P(Session, AWarningAtCommitIsDoubt) {
  run(*on_, R"(
    CREATE TABLE public.t (v int);
    CREATE FUNCTION public.warn() RETURNS trigger LANGUAGE plpgsql AS
      'BEGIN RAISE WARNING ''the transaction has already committed locally''; RETURN NULL; END';
    CREATE CONSTRAINT TRIGGER warn AFTER INSERT ON public.t INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION public.warn())");
  {
    const test::Mutant mutant("commit_warning_ignored");
    Transaction transaction(*on_, soon());
    transaction.execute(Sql("INSERT INTO public.t VALUES (1)"));
    EXPECT_NO_THROW(transaction.commit()) << "survived";
  }
  Transaction transaction(*on_, soon());
  transaction.execute(Sql("INSERT INTO public.t VALUES (1)"));
  EXPECT_THROW(transaction.commit(), OutcomeUnknown);
}

TEST_P(Session, CommitsSeveralStatementsInOneRoundTripOrNone) {
  run(*on_, "CREATE TABLE public.t (v int PRIMARY KEY)");
  const auto last = on_->commit_alone(Sql("SET LOCAL lock_timeout = 7; LOCK TABLE public.t IN SHARE MODE;"
                                          "INSERT INTO public.t VALUES (1); SELECT current_setting('lock_timeout')"),
                                      soon());
  EXPECT_EQ(last.one_row(1).text(0), "7ms");
  EXPECT_EQ(value(*on_, "SHOW lock_timeout"), "0");
  EXPECT_THROW(on_->commit_alone(Sql("INSERT INTO public.t VALUES (2); INSERT INTO public.t VALUES (1)"), soon()),
               ServerError);
  EXPECT_EQ(value(*on_, "SELECT array_agg(v) FROM public.t"), "{1}") << "no transaction is left open";
  EXPECT_THROW(on_->commit_alone(Sql("DO 'BEGIN RAISE WARNING ''not on the standby''; END'"), soon()), OutcomeUnknown);
  EXPECT_FALSE(on_->is_open());
  on_.emplace(test::admin(pair_->blue()));
  EXPECT_THROW(on_->commit_alone(Sql("SELECT pg_sleep(5)"), Deadline::after(50ms)), OutcomeUnknown);
}

TEST_P(Session, StatesTheShapeItExpects) {
  EXPECT_THROW((void)on_->query(Sql("SELECT 1, 2"), soon()).one_row(1), Error);
  EXPECT_THROW((void)on_->query(Sql("SELECT 1 WHERE false"), soon()).one_row(1), Error);
  EXPECT_THROW((void)on_->query(Sql("SELECT NULL"), soon()).one_row(1).text(0), Error);
  EXPECT_EQ(on_->query(Sql("SELECT $1::text"), {"o'hara \\"}, soon()).one_row(1).text(0), "o'hara \\");
  EXPECT_EQ(on_->query(Sql("SELECT {}", Literal("o'hara \\")), soon()).one_row(1).text(0), "o'hara \\");
}

TEST_P(Session, PinsItsSettingsAgainstThoseOfRoleAndDatabase) {
  run(*on_, "ALTER DATABASE shop SET statement_timeout = '1ms'; ALTER DATABASE shop SET search_path = public;"
            "ALTER DATABASE shop SET default_transaction_read_only = on");
  auto fresh = test::side(pair_->blue(), "blue");
  EXPECT_EQ(value(fresh.control(), "SHOW statement_timeout"), "0");
  EXPECT_EQ(value(fresh.control(), "SHOW search_path"), "pg_catalog,pg_temp");
  EXPECT_EQ(value(fresh.control(), "SHOW default_transaction_read_only"), "off");
}

// A role's default once ended the session that held the lease.
TEST_P(Session, OutlivesTheTimeoutsOfItsRole) {
  std::vector<std::string> names{"idle_in_transaction_session_timeout"};
  if (GetParam() >= 14) names.emplace_back("idle_session_timeout");
  if (GetParam() >= 17) names.emplace_back("transaction_timeout");
  for (const auto& name : names) run(*on_, "ALTER ROLE verdigris IN DATABASE shop SET " + name + " = '300ms'");
  run(*on_, "ALTER ROLE verdigris IN DATABASE shop SET session_replication_role = replica");
  auto ours = test::side(pair_->blue(), "blue");
  auto idle = Connection::open_plain(pair_->blue().conninfo("verdigris", "shop"), {"blue", "other", false, {}}, soon());
  auto busy = test::side(pair_->blue(), "blue");
  run(busy.control(), "BEGIN");
  std::this_thread::sleep_for(900ms);
  for (const auto& name : names) EXPECT_EQ(value(ours.control(), "SHOW " + name), "0") << name;
  EXPECT_EQ(value(ours.control(), "SHOW session_replication_role"), "origin");
  EXPECT_EQ(value(busy.control(), "SELECT 1"), "1") << "in a transaction";
  if (GetParam() >= 14) {
    EXPECT_THROW(value(idle, "SELECT 1"), Error) << "others are ended";
  }
}

TEST_P(Session, SequencesAreReadAndSetForwardOnly) {
  run(*on_, R"(
    CREATE SEQUENCE public.up; CREATE SEQUENCE public.down INCREMENT -1; CREATE SEQUENCE public.fresh START 5;
    SELECT nextval('public.up'), nextval('public.up'), nextval('public.down'), setval('public.fresh', 5, false))");
  auto target = test::admin(pair_->green());
  run(target, "CREATE SEQUENCE public.up; CREATE SEQUENCE public.down INCREMENT -1; CREATE SEQUENCE public.fresh START 5;"
              "SELECT setval('public.up', 50)");
  const auto source = sequence_positions(*on_, soon());
  ASSERT_EQ(source.size(), 3U);
  const auto behind = outgrown(source, sequence_positions(target, soon()));
  ASSERT_EQ(behind.size(), 1U) << "up is ahead on the target and stays; fresh is equal";
  EXPECT_EQ(behind[0].name.display(), "public.down");
  set_sequences(target, source, soon());
  EXPECT_EQ(sequence_positions(target, soon()), source);
  EXPECT_EQ(value(target, "SELECT nextval('public.fresh')"), "5") << "is_called = false travels";
  EXPECT_EQ(value(target, "SELECT nextval('public.down')"), "-2");
}

// Both have handed out values of the same sequence: whatever was handed out comes no more.
TEST_P(Session, ASequenceThatIsAheadIsNotSetBack) {
  auto target = test::admin(pair_->green());
  run(*on_, "CREATE SEQUENCE public.up; SELECT setval('public.up', 2)");
  run(target, "CREATE SEQUENCE public.up; SELECT setval('public.up', 50)");
  const auto next = [&] {
    set_sequences(target, outgrown(sequence_positions(*on_, soon()), sequence_positions(target, soon())), soon());
    return value(target, "SELECT nextval('public.up')");
  };
  EXPECT_EQ(next(), "51");
  const test::Mutant mutant("sequences_set_backwards");
  EXPECT_EQ(next(), "3") << "survived";
}

TEST_P(Session, PreparedReadingOfSequencesNoticesNewOnesAndDroppedOnes) {
  run(*on_, "CREATE SEQUENCE public.a; SELECT setval('public.a', 3)");
  auto server = test::side(pair_->blue(), "blue");
  SequenceReader reader(server);
  EXPECT_EQ(reader.read(soon()), sequence_positions(*on_, soon()));
  EXPECT_EQ(SequenceReader(server).read(soon()).size(), 1U) << "another reader on the same session";
  run(*on_, "SELECT nextval('public.a')");
  EXPECT_EQ(reader.read(soon()), sequence_positions(*on_, soon()));
  run(*on_, "CREATE SEQUENCE public.b; SELECT setval('public.b', 9)");
  EXPECT_EQ(reader.read(soon()).size(), 2U);
  run(*on_, "DROP SEQUENCE public.a; CREATE SEQUENCE public.c");
  EXPECT_EQ(reader.read(soon()), sequence_positions(*on_, soon()));
  server.connect(soon());
  EXPECT_EQ(reader.read(soon()), sequence_positions(*on_, soon())) << "prepared anew on the new session";
}

TEST_P(Session, ALostTargetLeavesNoAnswerUnderWayOnTheSource) {
  auto source = test::side(pair_->blue(), "blue");
  auto target = test::side(pair_->green(), "green");
  SequencePair pair(source, target);
  pair.prepare(soon());
  target.control().close();
  EXPECT_THROW(pair.outgrown_ones(soon()), ConnectionLost);
  EXPECT_EQ(value(source.control(), "SELECT 7"), "7");
}

TEST_P(Session, FinalMarkerTellsWhetherAnybodyIsLeft) {
  install_control_schema(*on_, "shop", "blue", soon());
  for (bool is_alone = false; !is_alone;) is_alone = foreign_sessions(*on_, "shop", soon()).empty();
  EXPECT_TRUE(write_final_marker(*on_, "blue", "shop", soon()).nobody_left);
  on_->commit_alone(marker_fence_statement(FenceState::open), soon());
  auto other = test::admin(pair_->blue());
  EXPECT_FALSE(write_final_marker(*on_, "blue", "shop", soon()).nobody_left);
}

TEST_P(Session, FinalMarkerClosesTheMarkerAndKnowsItsPosition) {
  install_control_schema(*on_, "shop", "blue", soon());
  const auto before = wal_insert_position(*on_, soon());
  const auto marker = write_final_marker(*on_, "blue", "shop", soon());
  EXPECT_GT(marker.position, before);
  EXPECT_TRUE(marker_arrived(*on_, Stream::forward("shop"), marker.id, soon()));
  EXPECT_THROW(write_marker(*on_, "blue", "late", soon()), ServerError) << "nobody writes a marker behind the last one";
  EXPECT_EQ(new_marker_id("blue") % 2, 0);
  EXPECT_EQ(new_marker_id("green") % 2, 1);
}

// At the same moment, on both sides: none is that of another row, which would stop the stream.
TEST_P(Session, MarkersOfBothSidesAreDifferent) {
  const auto is_met = [] {
    std::set<std::int64_t> of_blue, of_both;
    for (int i = 0; i < 5; ++i) of_blue.insert(new_marker_id("blue"));
    for (int i = 0; i < 5; ++i)
      if (const auto id = new_marker_id("green"); of_blue.contains(id)) of_both.insert(id);
    return of_both.empty();
  };
  EXPECT_TRUE(is_met());
  const test::Mutant mutant("marker_ids_per_side");
  EXPECT_FALSE(is_met()) << "survived";
}

TEST_P(Session, IdentityTellsServersApart) {
  install_control_schema(*on_, "shop", "blue", soon());
  auto other = test::admin(pair_->green());
  const auto blue = server_identity(*on_, "shop", soon());
  EXPECT_TRUE(blue.is_same_server(server_identity(*on_, "shop", soon())));
  EXPECT_FALSE(blue.is_same_server(server_identity(other, "shop", soon())));
  EXPECT_FALSE(blue.token.empty());
}

INSTANTIATE_TEST_SUITE_P(Majors, Session, ::testing::Values(13, 15, 18), [](const auto& major) {
  return "On" + std::to_string(major.param);
});

}  // namespace
}  // namespace verdigris
