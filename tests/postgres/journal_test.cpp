// Journal and lease on real servers: one controller, one decision, a follower that is a prefix (faults P31, P33, M12-M16).
#include <gtest/gtest.h>

#include "controller/database_journal.hpp"
#include "controller/lease.hpp"
#include "controller/phases.hpp"
#include "replication/control_schema.hpp"
#include "replication/fence.hpp"
#include "tests/support/cluster.hpp"
#include "tests/support/mutant.hpp"

namespace verdigris {
namespace {

using namespace std::chrono_literals;
using test::run;
using test::soon;
using test::value;

struct Controller {
  explicit Controller(test::Pair& pair)
      : blue(test::side(pair.blue(), "blue")), green(test::side(pair.green(), "green")), journal(blue, green, "shop") {}
  Server blue, green;
  DatabaseJournal journal;
};

class JournalTest : public ::testing::Test {
 protected:
  void SetUp() override {
    NEED_POSTGRES(17);
    pair_ = &test::shared_pair(15, 17);
    first_ = std::make_unique<Controller>(*pair_);
    install_control_schema(first_->blue.control(), "shop", "blue", soon());
    install_control_schema(first_->green.control(), "shop", "green", soon());
    first_->journal.load(soon());
    open(first_->journal);
  }
  static void open(DatabaseJournal& journal) {
    journal.open_plan({"plan", {{"command", "switch"}, {"source", "blue"}}}, "blue", soon());
  }
  std::string count(Server& server) {
    return value(server.control(), "SELECT count(*) FROM verdigris.journal");
  }
  test::Pair* pair_ = nullptr;
  std::unique_ptr<Controller> first_;
};

TEST_F(JournalTest, FirstRecordStandsOnBothSidesAndOthersOnTheLeaderFirst) {
  EXPECT_EQ(count(first_->green), "1");
  first_->journal.write({{"begin", {{"step", "a"}}}}, soon());
  EXPECT_EQ(count(first_->blue), "2");
  EXPECT_EQ(count(first_->green), "1") << "the follower is a prefix";
  first_->journal.decide_committed({}, {{"line", "0/1"}}, soon());
  EXPECT_EQ(count(first_->green), "3") << "completed up to the decision";
  first_->journal.write({{"begin", {{"step", "b"}}}}, soon());
  EXPECT_EQ(count(first_->green), "4") << "from the decision on the target leads";
  EXPECT_EQ(count(first_->blue), "3");
  Controller second(*pair_);
  second.journal.load(soon());
  EXPECT_EQ(second.journal.records().size(), 4U);
  EXPECT_TRUE(standing_of(second.journal.records()).open->is_committed);
}

TEST_F(JournalTest, CommittedAndUndoneCompeteForOneKeyAndTheLoserIsToldToStop) {
  Controller second(*pair_);
  second.journal.load(soon());
  first_->journal.decide_committed({}, {{"line", "0/1"}}, soon());
  try {
    second.journal.decide_undone({}, {}, [](Transaction&) {}, soon());
    FAIL() << "two decisions in one plan";
  } catch (const Error& error) {
    EXPECT_EQ(error.id(), "journal.taken") << error.what();
    EXPECT_EQ(error.failure(), Failure::busy);
  }
}

TEST_F(JournalTest, UndoneAndTheOpeningAreOneTransaction) {
  {
    Transaction transaction(first_->blue.control(), soon());
    set_fence(transaction, FenceState::closed);
    transaction.commit();
  }
  EXPECT_THROW(first_->journal.decide_undone({}, {}, [](Transaction& t) {
    set_fence(t, FenceState::open);
    throw Error("test", "killed in between");
  }, soon()), Error);
  EXPECT_EQ(fence_state(first_->blue.control(), soon()), FenceState::closed);
  EXPECT_EQ(count(first_->blue), "1");
  first_->journal.decide_undone({}, {}, [](Transaction& t) { set_fence(t, FenceState::open); }, soon());
  EXPECT_EQ(fence_state(first_->blue.control(), soon()), FenceState::open);
}

// A reason can hold what somebody's program said: without `undone` clients would not be let go.
TEST_F(JournalTest, AReasonThatIsNoTextIsRecordedAllTheSame) {
  first_->journal.decide_undone({}, {{"reason", "gate canary: caf\xe9"}}, [](Transaction&) {}, soon());
  EXPECT_EQ(value(first_->blue.control(), "SELECT detail->>'reason' FROM verdigris.journal WHERE event = 'undone'"),
            "gate canary: caf\uFFFD");
}

// How the first controller's decision, beside that of a second one or without its session, breaks the rule of one
// decision on the source; empty if it does not.
std::string broken_by_late_commit(test::Pair& pair, Controller& first, const std::string& mutant, bool has_lost_lease) {
  Controller second(pair);
  second.journal.load(soon());
  if (has_lost_lease)
    run(second.blue.control(),
        "SELECT pg_terminate_backend(" + std::to_string(first.blue.control().backend_pid()) + ")");
  else
    second.journal.decide_undone({}, {}, [](Transaction&) {}, soon());
  try {
    const test::Mutant left_out(mutant);
    first.journal.decide_committed({}, {{"line", "0/1"}}, soon());
  } catch (const Error&) {
    // what stands tells
  }
  const std::string decisions = "SELECT count(*) FROM verdigris.journal WHERE event IN ('committed', 'undone')";
  const auto on_blue = value(second.blue.control(), decisions), on_green = value(second.green.control(), decisions);
  if (on_blue == "2") return "two decisions";
  if (has_lost_lease && on_blue == "1") return "decided without the session that holds the lease";
  if (on_green == "1") return "the target has a decision that the source has not";
  return "";
}

TEST_F(JournalTest, TheLaterDecisionStandsNowhere) {
  EXPECT_EQ(broken_by_late_commit(*pair_, *first_, "", false), "");
}
TEST_F(JournalTest, TheNextNumberWouldBeASecondDecision) {
  EXPECT_EQ(broken_by_late_commit(*pair_, *first_, "next_number_tried", false), "two decisions");
}
TEST_F(JournalTest, OnTheTargetFirstItWouldStandBesideAnother) {
  EXPECT_EQ(broken_by_late_commit(*pair_, *first_, "committed_on_target_first", false),
            "the target has a decision that the source has not");
}
TEST_F(JournalTest, WhoseSessionHasEndedDecidesNothing) {
  EXPECT_EQ(broken_by_late_commit(*pair_, *first_, "", true), "");
}
TEST_F(JournalTest, OnAnotherSessionItWouldDecideAllTheSame) {
  EXPECT_EQ(broken_by_late_commit(*pair_, *first_, "decided_on_another_session", true),
            "decided without the session that holds the lease");
}

// The source's fence after another controller has decided to go on, and the first one decides to go back.
FenceState fence_after_late_undo(test::Pair& pair, Controller& first, const std::string& mutant) {
  Controller second(pair);
  second.journal.load(soon());
  {
    Transaction transaction(second.blue.control(), soon());
    set_fence(transaction, FenceState::closed);
    transaction.commit();
  }
  second.journal.decide_committed({}, {{"line", "0/1"}}, soon());
  const test::Mutant left_out(mutant);
  const auto open = [](Transaction& t) { set_fence(t, FenceState::open); };
  EXPECT_THROW(first.journal.decide_undone({}, {}, open, soon()), Error);
  return fence_state(second.blue.control(), soon());
}

TEST_F(JournalTest, TheSourceIsNotOpenedUnlessUndoneStands) {
  EXPECT_EQ(fence_after_late_undo(*pair_, *first_, ""), FenceState::closed);
}
TEST_F(JournalTest, OpenedBeforeUndoneItWouldBeOpenBesideTheTarget) {
  EXPECT_EQ(fence_after_late_undo(*pair_, *first_, "opened_before_undone"), FenceState::open);
}

TEST_F(JournalTest, DifferentContentAtOneKeyIsForAPerson) {
  run(first_->green.control(), "UPDATE verdigris.journal SET event = 'finished'");
  Controller second(*pair_);
  try {
    second.journal.load(soon());
    FAIL();
  } catch (const NeedsHuman& error) {
    EXPECT_EQ(error.id(), "journal.contradiction");
  }
}

TEST_F(JournalTest, LeaseIsHeldByOneControllerAndFreeWhenItsSessionEnds) {
  acquire_lease(first_->blue.control(), "shop", 100ms, soon());
  acquire_lease(first_->blue.control(), "shop", 100ms, soon());
  Controller second(*pair_);
  try {
    acquire_lease(second.blue.control(), "shop", 50ms, soon());
    FAIL() << "two controllers hold the lease";
  } catch (const Error& error) {
    EXPECT_EQ(error.id(), "lease.held");
    EXPECT_NE(std::string(error.what()).find("verdigris/shop/control"), std::string::npos) << error.what();
  }
  acquire_lease(second.blue.control(), "other", 50ms, soon());
  const auto pid = std::to_string(first_->blue.control().backend_pid());
  run(second.blue.control(), "SELECT pg_terminate_backend(" + pid + ")");
  acquire_lease(second.blue.control(), "shop", 5s, soon());
  EXPECT_TRUE(holds_lease(second.blue.control(), "shop", soon()));
  EXPECT_THROW(first_->journal.write({{"begin", {{"step", "late"}}}}, soon()), Error)
      << "the first controller's session is gone, so its next act cannot run";
}

// Its session waits for a standby that never comes and does not notice that its client went away.
TEST_F(JournalTest, OwnSessionThatHangsInACommitGivesUpTheLease) {
  Server side = test::side(pair_->blue(), "blue");
  acquire_lease(side.control(), "shop", 100ms, soon());
  auto superuser = test::admin(pair_->blue());
  run(superuser, "ALTER SYSTEM SET synchronous_standby_names = 'gone'");
  run(superuser, "SELECT pg_reload_conf()");
  run(superuser, "SELECT pg_sleep(0.2)");
  EXPECT_THROW(side.control().execute(Sql("SELECT pg_logical_emit_message(true, 'test', 'x')"), Deadline::after(300ms)), Error);
  side.connect(soon());
  Controller second(*pair_);
  try {
    acquire_lease(second.blue.control(), "shop", 300ms, soon());
    FAIL() << "not noticed, as said above";
  } catch (const Error& error) {
    EXPECT_EQ(error.id(), "lease.held");
  }
  acquire_lease(side.control(), "shop", 5s, soon(), side.control_pids());
  EXPECT_TRUE(holds_lease(side.control(), "shop", soon()));
  run(superuser, "ALTER SYSTEM RESET synchronous_standby_names");
  run(superuser, "SELECT pg_reload_conf()");
}

// The decision waits for a standby that never comes: its row is not there for anybody, and stands a moment later. Who read
// before the session is gone that holds the lease, would decide the other way.
TEST_F(JournalTest, ADoubtfulDecisionIsSettledByReadingOnlyUnderTheLease) {
  acquire_lease(first_->blue.control(), "shop", 100ms, soon());
  auto superuser = test::admin(pair_->blue());
  run(superuser, "ALTER SYSTEM SET synchronous_standby_names = 'gone'");
  run(superuser, "SELECT pg_reload_conf()");
  run(superuser, "SELECT pg_sleep(0.2)");
  EXPECT_THROW(first_->journal.decide_committed({}, {{"line", "0/1"}}, Deadline::after(300ms)), OutcomeUnknown);
  Controller second(*pair_);
  second.journal.load(soon());
  EXPECT_FALSE(standing_of(second.journal.records()).open->is_committed) << "not yet to be seen";
  try {
    acquire_lease(second.blue.control(), "shop", 100ms, soon());
    ADD_FAILURE() << "and it may decide the other way";
  } catch (const Error& error) {
    EXPECT_EQ(error.id(), "lease.held");
  }
  // Ours, which the session that hangs gives up.
  first_->blue.connect(soon());
  acquire_lease(first_->blue.control(), "shop", 5s, soon(), first_->blue.control_pids());
  first_->journal.load_again(soon());
  EXPECT_TRUE(standing_of(first_->journal.records()).open->is_committed) << "it stands after all";
  run(superuser, "ALTER SYSTEM RESET synchronous_standby_names");
  run(superuser, "SELECT pg_reload_conf()");
}

// One that slept through its sessions' end must not go on with a journal that others have carried on.
TEST_F(JournalTest, LoadedAgainItMayOnlyHoldWhatIsKnownAndAWriteOfOurOwn) {
  first_->journal.write({{"begin", {{"step", "a"}, {"ms", 0.1}}}}, soon());
  first_->journal.load_again(soon());
  EXPECT_EQ(first_->journal.records().size(), 2U);
  Controller second(*pair_);
  second.journal.load(soon());
  second.journal.write({{"begin", {{"step", "b"}}}}, soon());
  try {
    first_->journal.load_again(soon());
    FAIL() << "another controller went on";
  } catch (const Error& error) {
    EXPECT_EQ(error.id(), "journal.taken-over") << error.what();
    EXPECT_EQ(error.failure(), Failure::busy);
  }
}

TEST_F(JournalTest, SavedValueIsNotOverwrittenByARepeatedStep) {
  auto& on = first_->blue.control();
  save_value(on, "shop", "k", "{\"was\": 1}", soon());
  save_value(on, "shop", "k", "{\"was\": 2}", soon());
  EXPECT_EQ(saved_value(on, "shop", "k", soon()), "{\"was\": 1}");
  forget_value(on, "shop", "k", soon());
  EXPECT_FALSE(saved_value(on, "shop", "k", soon()).has_value());
}

}  // namespace
}  // namespace verdigris
