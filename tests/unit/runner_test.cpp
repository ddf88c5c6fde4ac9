#include "controller/runner.hpp"

#include <gtest/gtest.h>

#include <thread>

#include "tests/support/memory_journal.hpp"
#include "tests/support/mutant.hpp"

namespace verdigris {
namespace {

// Two sides and a pooler, in memory. The invariants of the cutover can be read off it.
struct World {
  bool blue_open = true, green_open = false, is_paused = false;
  std::string traffic = "blue";
  bool reverse_runs = false;
  std::function<void()> point = [] {};  // before and after each act; a test may kill the process there
};

struct FakeStep : Step {
  FakeStep(std::string step_name, std::function<bool()> is_done, std::function<void()> act, std::function<void()> back = [] {})
      : name_(std::move(step_name)), is_done_(std::move(is_done)), act_(std::move(act)), back_(std::move(back)) {}
  std::string_view name() const override { return name_; }
  std::string describe() const override { return name_; }
  Readiness check(Deadline) override {
    if (is_done_()) return Done{};
    return Ready{};
  }
  std::string apply(Deadline) override {
    act_();
    return "";
  }
  void undo(Deadline) override { back_(); }
  std::string name_;
  std::function<bool()> is_done_;
  std::function<void()> act_, back_;
};

struct NullObserver : RunObserver {
  void began(const std::string&) override {}
  void ended(const StepReport&) override {}
  void skipped(const std::string&) override {}
  void remarked(const std::string& text) override { remarks += text + "\n"; }
  std::string remarks;
};

Plan cutover(World& w, const std::function<void()>& at_drain = [] {}) {
  const auto act = [&w](const std::function<void()>& what) {
    return [&w, what] {
      w.point();
      what();
      w.point();
    };
  };
  Plan plan;
  plan.window_opens()
      .then<FakeStep>("pause", [&] { return w.is_paused; }, act([&] { w.is_paused = true; }), [&] { w.is_paused = false; })
      .then<FakeStep>("fence", [&] { return !w.blue_open; }, act([&] { w.blue_open = false; }))
      .then<FakeStep>("drain", [] { return false; }, act(at_drain))
      .point_of_no_return()
      .then<FakeStep>("open", [&] { return w.green_open; }, act([&] { w.green_open = true; }))
      .then<FakeStep>("point", [&] { return w.traffic == "green"; }, act([&] { w.traffic = "green"; }))
      .then<FakeStep>("resume", [&] { return !w.is_paused; }, act([&] { w.is_paused = false; }))
      .window_closes()
      .then<FakeStep>("reverse", [&] { return w.reverse_runs; }, act([&] { w.reverse_runs = true; }));
  return plan;
}

struct Attempt {
  World world;
  MemoryJournal journal;
  NullObserver observer;
  RunLimits limits;

  Attempt() {
    limits.max_pause = std::chrono::milliseconds(2000);
    limits.forward = limits.recovery = limits.undo = std::chrono::milliseconds(300);
    journal.on_undone = [this] { world.blue_open = true; };
    journal.open_plan({"plan", {{"command", "switch"}, {"source", "blue"}}}, "blue", Deadline::after(std::chrono::seconds(1)));
  }
  RunResult cross(const Plan& plan) {
    return Runner(plan, journal, limits, observer, [](Deadline) {}).cross([] { return Json{{"line", "0/1"}}; });
  }
  RunResult recover(const Plan& plan) { return Runner(plan, journal, limits, observer, [](Deadline) {}).recover(); }
  void expect_one_future() {
    EXPECT_NE(world.blue_open, world.green_open) << "exactly one side accepts writes";
    EXPECT_EQ(world.traffic, world.blue_open ? "blue" : "green");
    EXPECT_FALSE(world.is_paused) << "nobody is left waiting";
    EXPECT_FALSE(standing_of(journal.records()).open.has_value());
  }
};

TEST(Runner, CrossesAndEndsOnTheTarget) {
  Attempt run;
  EXPECT_EQ(run.cross(cutover(run.world)).ending, Ending::done);
  run.expect_one_future();
  EXPECT_TRUE(run.world.green_open);
  EXPECT_TRUE(run.world.reverse_runs);
  EXPECT_EQ(standing_of(run.journal.records()).serves, "green");
}

TEST(Runner, KilledBeforeOrAfterAnyRecordOrActEndsOnExactlyOneSide) {
  int kills = 0;
  for (;; ++kills) {
    Attempt run;
    int passed = 0;
    const auto die = [&] {
      if (passed++ == kills) throw Killed{};
    };
    run.world.point = die;
    run.journal.before = run.journal.after = [&](int) { die(); };
    bool was_killed = false;
    const Plan plan = cutover(run.world);
    try {
      run.cross(plan);
    } catch (const Killed&) {
      was_killed = true;
    }
    run.world.point = [] {};
    run.journal.before = run.journal.after = [](int) {};
    if (!was_killed) break;
    const bool is_decided = standing_of(run.journal.records()).open && standing_of(run.journal.records()).open->is_committed;
    if (standing_of(run.journal.records()).open) run.recover(plan);
    run.expect_one_future();
    EXPECT_TRUE(!is_decided || run.world.green_open) << "committed: never back";
  }
  EXPECT_GE(kills, 24);
}

// What clients wait for is the decision, not the account of what was done.
TEST(Runner, NothingIsWrittenWhileClientsWaitButTheDecision) {
  Attempt run;
  std::vector<std::string> writes;
  std::size_t known = run.journal.records().size();
  run.journal.after = [&](int) {
    std::string what;
    for (; known < run.journal.records().size(); ++known) {
      const auto& record = run.journal.records()[known];
      what += (what.empty() ? "" : " ") + record.event + (record.detail.contains("step") ? ":" + record.detail.value("step", "") : "");
    }
    if (!what.empty()) writes.push_back(what);
  };
  run.cross(cutover(run.world));
  EXPECT_EQ(writes, (std::vector<std::string>{
                        "begin:pause", "end:pause begin:fence end:fence begin:drain end:drain committed",
                        "begin:open end:open begin:point end:point begin:resume end:resume begin:reverse",
                        "end:reverse", "finished"}));
}

TEST(Runner, FailureAboveTheLineIsUndone) {
  Attempt run;
  const auto result = run.cross(cutover(run.world, [] { throw Error("drain", "no progress"); }));
  EXPECT_EQ(result.ending, Ending::undone);
  EXPECT_EQ(result.reason, "no progress");
  EXPECT_TRUE(result.window_was_open);
  run.expect_one_future();
  EXPECT_TRUE(run.world.blue_open);
}

// A pause that a person made and a guardrail refused is not ours to end.
TEST(Runner, StepsThatNeverBeganAreNotUndone) {
  Attempt run;
  std::string undone;
  const auto noting = [&](const std::string& name) { return [&undone, name] { undone += name + " "; }; };
  Plan plan;
  plan.then<FakeStep>("lay", [] { return false; }, [] {}, noting("lay"))
      .then<FakeStep>("stage", [] { return false; }, [] { throw Refused("pooler.paused", "paused by somebody"); }, noting("stage"))
      .window_opens()
      .then<FakeStep>("pause", [] { return false; }, [] {}, noting("pause"))
      .point_of_no_return();
  const auto result = run.cross(plan);
  EXPECT_EQ(result.ending, Ending::undone);
  EXPECT_EQ(result.failure, Failure::refused);
  EXPECT_EQ(result.reason_id, "pooler.paused");
  EXPECT_FALSE(result.window_was_open);
  EXPECT_EQ(undone, "stage lay ");
}

// How far the one came that is gone cannot be known.
TEST(Runner, RecoveryUndoesEveryStepAboveTheLine) {
  Attempt run;
  std::string undone;
  Plan plan;
  plan.then<FakeStep>("pause", [] { return false; }, [] {}, [&] { undone += "pause "; })
      .point_of_no_return();
  EXPECT_EQ(run.recover(plan).ending, Ending::undone);
  EXPECT_EQ(undone, "pause ");
}

TEST(Runner, AnotherControllerInTheWindowIsToldWithWhatItMeansForClients) {
  Attempt run;
  try {
    run.cross(cutover(run.world, [] { throw Error("journal.taken", "taken", "", Failure::busy); }));
    FAIL() << "the other controller decides";
  } catch (const Error& error) {
    EXPECT_EQ(error.failure(), Failure::busy);
    EXPECT_NE(error.hint().find("verdigris recover"), std::string::npos) << error.hint();
  }
}

TEST(Runner, SpentPauseBudgetIsUndoneBeforeTheLine) {
  Attempt run;
  run.limits.max_pause = std::chrono::milliseconds(5);
  const auto result = run.cross(cutover(run.world, [] {
    const auto until = Deadline::after(std::chrono::milliseconds(10));
    while (!until.has_passed()) continue;
  }));
  EXPECT_EQ(result.ending, Ending::undone);
  run.expect_one_future();
}

TEST(Runner, TakenKeyMeansThatAnotherControllerDecidesAndNothingIsUndone) {
  Attempt run;
  run.journal.fail_next_decision = [] { throw Error("journal.taken", "taken", "", Failure::busy); };
  EXPECT_THROW(run.cross(cutover(run.world)), Error);
  EXPECT_TRUE(run.world.is_paused) << "the other controller resumes or moves, not we";
  EXPECT_FALSE(run.world.blue_open);
}

TEST(Runner, ConnectionLostInTheDecisionIsSettledByReading) {
  Attempt run;
  run.journal.fail_next_decision = [] { throw OutcomeUnknown("blue", "gone"); };
  const auto result = run.cross(cutover(run.world));
  EXPECT_EQ(result.ending, Ending::undone) << "the record does not stand, so back";
  run.expect_one_future();
}

TEST(Runner, BelowTheLineIsTriedAgainUntilItIsDone) {
  Attempt run;
  int failures = 3;
  Plan plan;
  plan.then<FakeStep>("fence", [&] { return !run.world.blue_open; }, [&] { run.world.blue_open = false; })
      .point_of_no_return()
      .then<FakeStep>("open", [&] { return run.world.green_open; }, [&] {
        if (failures-- > 0) throw ConnectionLost("green", "restarting");
        run.world.green_open = true;
        run.world.traffic = "green";
      });
  EXPECT_EQ(run.cross(plan).ending, Ending::done);
  run.expect_one_future();
}

// The decision stands on the source: that it cannot be written on the target at once is no reason to give up.
TEST(Runner, AJournalThatFailsBelowTheLineIsTriedAgain) {
  Attempt run;
  int failures = 2;
  run.journal.after = [&](int) {
    const bool is_decided = standing_of(run.journal.records()).open && standing_of(run.journal.records()).open->is_committed;
    if (is_decided && failures-- > 0) throw ServerError("green", "could not extend file: No space left on device", "53100");
  };
  EXPECT_EQ(run.cross(cutover(run.world)).ending, Ending::done);
  EXPECT_LE(failures, 0);
  run.expect_one_future();
}

// The opening of the target is not flushed: a crash takes it away again, and the session with it.
TEST(Runner, AfterALostSessionBelowTheLineEveryStepIsLookedAtAgain) {
  Attempt run;
  bool has_crashed = false;
  Plan plan;
  plan.then<FakeStep>("fence", [&] { return !run.world.blue_open; }, [&] { run.world.blue_open = false; })
      .point_of_no_return()
      .then<FakeStep>("open", [&] { return run.world.green_open; }, [&] { run.world.green_open = true; })
      .then<FakeStep>("move", [&] { return run.world.traffic == "green"; }, [&] { run.world.traffic = "green"; })
      .then<FakeStep>("stop", [] { return false; }, [&] {
        if (std::exchange(has_crashed, true)) return;
        run.world.green_open = false;
        throw ConnectionLost("green", "crashed");
      });
  EXPECT_EQ(run.cross(plan).ending, Ending::done);
  run.expect_one_future();
  EXPECT_TRUE(run.world.green_open);
}

struct DispensableStep : FakeStep {
  using FakeStep::FakeStep;
  bool may_be_given_up() const override { return true; }
};

// An open plan would refuse every later command for ever.
TEST(Runner, APlanEndsWithoutTheStepThatMayBeGivenUp) {
  for (const bool is_final : {true, false}) {
    Attempt run;
    bool is_tidied = false;
    Plan plan;
    plan.point_of_no_return()
        .then<DispensableStep>("reverse", [] { return false; }, [&] {
          if (is_final) throw NeedsHuman("reverse.slot", "slot lost", "");
          throw DeadlinePassed("no marker came back");
        })
        .then<FakeStep>("tidy", [&] { return is_tidied; }, [&] { is_tidied = true; });
    const auto result = run.cross(plan);
    EXPECT_EQ(result.ending, Ending::done);
    EXPECT_EQ(result.given_up, is_final ? "slot lost" : "no marker came back");
    EXPECT_TRUE(is_tidied);
    const auto standing = standing_of(run.journal.records());
    EXPECT_FALSE(standing.open.has_value());
    EXPECT_EQ(standing.given_up, result.given_up);
  }
}

// Told to be quick it leaves the plan open for another recover, which may have the time.
TEST(Runner, AQuickRecoverGivesNothingUp) {
  Attempt run;
  bool has_arrived = false, is_killed = true;
  Plan plan;
  plan.point_of_no_return().then<DispensableStep>("reverse", [&] { return has_arrived; }, [&] {
    if (std::exchange(is_killed, false)) throw Killed{};
    throw DeadlinePassed("no marker came back");
  });
  EXPECT_THROW(run.cross(plan), Killed);
  run.limits.recovery = run.limits.forward / 2;
  EXPECT_THROW(run.recover(plan), NeedsHuman);
  EXPECT_TRUE(standing_of(run.journal.records()).open.has_value()) << "it was given up";
  has_arrived = true;
  EXPECT_EQ(run.recover(plan).ending, Ending::done);
}

// The wait that ran out may have cost the session, so that the next step begins with a lost one, and a new pass.
TEST(Runner, AStepGivenUpIsNotWaitedForAgain) {
  Attempt run;
  int waited = 0;
  int failures = 2;
  Plan plan;
  plan.point_of_no_return()
      .then<DispensableStep>("reverse", [] { return false; }, [&] {
        ++waited;
        throw NeedsHuman("reverse.slot", "slot lost", "");
      })
      .then<FakeStep>("tidy", [] { return false; }, [&] {
        if (failures-- > 0) throw ConnectionLost("blue", "its query was given up");
      });
  EXPECT_EQ(run.cross(plan).ending, Ending::done);
  EXPECT_EQ(waited, 1);
  EXPECT_EQ(standing_of(run.journal.records()).given_up, "slot lost");
}

TEST(Runner, AServerThatIsAwayIsNoReasonToGiveAStepUp) {
  Attempt run;
  Plan plan;
  plan.point_of_no_return().then<DispensableStep>("reverse", [] { return false; },
                                                  [] { throw ConnectionLost("blue", "away"); });
  EXPECT_THROW(run.cross(plan), NeedsHuman);
  EXPECT_TRUE(standing_of(run.journal.records()).open.has_value());
}

// Returns whether the source is open afterwards.
bool is_open_when_stuck() {
  Attempt run;
  Plan plan;
  plan.then<FakeStep>("fence", [&] { return !run.world.blue_open; }, [&] { run.world.blue_open = false; })
      .point_of_no_return()
      .then<FakeStep>("open", [&] { return false; }, [] { throw ConnectionLost("green", "away"); });
  try {
    run.cross(plan);
    ADD_FAILURE() << "should have asked for a person";
  } catch (const NeedsHuman& error) {
    EXPECT_EQ(error.id(), "stuck-forward");
  }
  EXPECT_TRUE(standing_of(run.journal.records()).open->is_committed);
  return run.world.blue_open;
}

TEST(Runner, StuckBelowTheLineAsksForAPersonAndNeverGoesBack) {
  EXPECT_FALSE(is_open_when_stuck()) << "an error below the line never opens the source";
  const test::Mutant mutant("source_opened_below_line");
  EXPECT_TRUE(is_open_when_stuck()) << "survived";
}

// A suspended host wakes when all its time is spent: what others did meanwhile is read before a person is called, who would
// be told that clients are held.
TEST(Runner, WhoSleptOverItsDeadlineFindsThatAnotherControllerWentOn) {
  const auto sleep_and_lose = [] {
    std::this_thread::sleep_for(std::chrono::milliseconds(350));
    throw ConnectionLost("blue", "terminated");
  };
  for (const bool is_decided : {false, true}) {
    Attempt run;
    if (is_decided) run.journal.decide_committed({}, {}, Deadline::after(std::chrono::seconds(1)));
    else run.journal.fail_next_decision = sleep_and_lose;
    Plan plan;
    plan.point_of_no_return().then<FakeStep>("open", [] { return false; }, sleep_and_lose);
    const auto taken_over = [](Deadline) { throw Error("journal.taken-over", "another controller", "", Failure::busy); };
    try {
      Runner(plan, run.journal, run.limits, run.observer, taken_over).recover();
      FAIL() << "should have left it to the other one";
    } catch (const Error& error) {
      EXPECT_EQ(error.id(), "journal.taken-over") << is_decided;
    }
  }
}

}  // namespace
}  // namespace verdigris
