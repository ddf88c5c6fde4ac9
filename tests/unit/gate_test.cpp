// What the runner does at a gate: it waits before clients are held, looks again at everything behind a wait, and looks at
// the gate once more, behind its own record, right before the window.
#include "controller/gate.hpp"

#include <gtest/gtest.h>

#include "controller/phases.hpp"
#include "controller/runner.hpp"
#include "tests/support/memory_journal.hpp"

namespace verdigris {
namespace {

// Closed as often as it says, at the looks it says; notes what had been done by then.
struct FakeGate : Gate {
  explicit FakeGate(std::string& told) : log(told) {}
  std::optional<std::string> obstacle(Deadline) override {
    log += "look ";
    if (looks++ < first_closed || closed <= 0) return std::nullopt;
    if (lost > 0 && looks > 2) {
      --lost;
      throw ConnectionLost("blue", "gone");
    }
    --closed;
    if (give_up) throw DeadlinePassed("held by ann, for longer than --timeout 1s", "Run verdigris release.");
    return "held by ann";
  }
  void opened(Deadline) override { log += "opened "; }
  std::string& log;
  int looks = 0, first_closed = 0, closed = 0, lost = 0;
  bool give_up = false;
};

struct LoggedStep : Step {
  LoggedStep(std::string step_name, std::string& told) : name_(std::move(step_name)), log_(told) {}
  std::string_view name() const override { return name_; }
  std::string describe() const override { return name_; }
  Readiness check(Deadline) override { return Ready{}; }
  std::string apply(Deadline) override {
    log_ += name_ + " ";
    return "";
  }
  void undo(Deadline) override { log_ += "undo:" + name_ + " "; }
  std::string name_;
  std::string& log_;
};

struct NotingObserver : RunObserver {
  void began(const std::string&) override {}
  void ended(const StepReport&) override {}
  void skipped(const std::string&) override {}
  void remarked(const std::string& text) override { remarks += text + "\n"; }
  std::string remarks;
};

// Finds a gate closed when it is carried out, so often.
struct ClosingStep : LoggedStep {
  ClosingStep(std::string step_name, std::string& told, int& times) : LoggedStep(std::move(step_name), told), times_(times) {}
  std::string apply(Deadline deadline) override {
    LoggedStep::apply(deadline);
    if (times_-- > 0) throw NotYet("waits for gate lag, at most 10m");
    return "";
  }
  int& times_;
};

class GateOfARun : public testing::Test {
 protected:
  void SetUp() override {
    plan_.then<LoggedStep>("stage", log_)
        .waits_here()
        .then<LoggedStep>("quiet", log_)
        .window_opens()
        .then<LoggedStep>("pause", log_)
        .point_of_no_return()
        .then<LoggedStep>("open", log_)
        .window_closes();
    journal_.open_plan({"plan", {{"command", "switch"}, {"source", "blue"}}}, "blue", Deadline::after(std::chrono::seconds(1)));
    journal_.after = [this](int) {
      const auto& last = journal_.records().back();
      if (last.event == "window") log_ += last.detail.value("opens", false) ? "opens " : "closed ";
    };
  }
  RunResult cross() {
    return Runner(plan_, journal_, {}, observer_, [this](Deadline) { reopen(); }, &gate_).cross([] { return Json::object(); });
  }

  std::string log_;
  std::function<void()> reopen = [this] { log_ += "reopen "; };
  FakeGate gate_{log_};
  Plan plan_;
  MemoryJournal journal_;
  NotingObserver observer_;
};

TEST_F(GateOfARun, AnOpenOneCostsTwoLooks) {
  EXPECT_EQ(cross().ending, Ending::done);
  EXPECT_EQ(log_, "stage look quiet opens look pause open ");
}

TEST_F(GateOfARun, BehindAWaitEverythingIsLookedAtAgain) {
  gate_.closed = 2;
  EXPECT_EQ(cross().ending, Ending::done);
  EXPECT_EQ(log_, "stage look look look opened stage look quiet opens look pause open ");
  EXPECT_NE(observer_.remarks.find("held by ann\n"), std::string::npos);
}

// Whoever holds writes first and reads this record then: so it must stand before the look.
TEST_F(GateOfARun, TheLastLookComesBehindTheRecordAndBeforeClientsAreHeld) {
  gate_.first_closed = 1;
  gate_.closed = 1;
  EXPECT_EQ(cross().ending, Ending::done);
  EXPECT_EQ(log_, "stage look quiet opens look closed undo:quiet look opened stage look quiet opens look pause open ");
}

// However long its gate may be waited for: not under the time that the steps have together.
TEST_F(GateOfARun, AStepThatFindsAGateClosedIsRepeatedBehindTheWait) {
  int times = 2;
  Plan plan;
  plan.then<LoggedStep>("stage", log_)
      .waits_here()
      .then<LoggedStep>("gates", log_)
      .then<ClosingStep>("quiet", log_, times)
      .window_opens()
      .then<LoggedStep>("pause", log_)
      .point_of_no_return()
      .then<LoggedStep>("open", log_)
      .window_closes();
  const auto result = Runner(plan, journal_, {}, observer_, [](Deadline) {}, &gate_).cross([] { return Json::object(); });
  EXPECT_EQ(result.ending, Ending::done);
  const std::string waited = "stage look gates quiet undo:quiet undo:gates look opened ";
  EXPECT_EQ(log_, waited + waited + "stage look gates quiet opens look pause open ");
  EXPECT_NE(observer_.remarks.find("waits for gate lag, at most 10m\n"), std::string::npos);
}

TEST_F(GateOfARun, ASessionLostInTheWaitIsOpenedAnewAndTheWaitGoesOn) {
  gate_.closed = 3;
  gate_.lost = 2;
  EXPECT_EQ(cross().ending, Ending::done);
  EXPECT_EQ(log_, "stage look look look reopen look reopen look look opened stage look quiet opens look pause open ");
}

TEST_F(GateOfARun, NothingIsDecidedOnAServerThatIsNotTheOneItWas) {
  gate_.closed = 3;
  gate_.lost = 1;
  reopen = [] { throw NeedsHuman("identity.changed", "blue: another server answers", "Look."); };
  EXPECT_THROW(cross(), Error);
  EXPECT_TRUE(standing_of(journal_.records()).open) << "it is left to recover";
  EXPECT_FALSE(standing_of(journal_.records()).open->is_undone);
}

TEST_F(GateOfARun, ClosedForTooLongItIsUndoneAsAWaitThatRanOut) {
  gate_.closed = 1;
  gate_.give_up = true;
  const auto result = cross();
  EXPECT_EQ(result.ending, Ending::undone);
  EXPECT_EQ(result.failure, Failure::timed_out);
  EXPECT_FALSE(result.window_was_open);
  EXPECT_EQ(log_, "stage look undo:stage ");
}

}  // namespace
}  // namespace verdigris
