// A controller sleeps (a suspended host) while its sessions end and another one takes over. When it wakes it must not
// do one more thing: neither undo nor open what by then belongs to somebody else's plan. Two probes beside the pooler
// never see both sides take writes. The points are dealt to the two directions; VERDIGRIS_THOROUGH=1: all of them, and
// further ones, in both, and one sleeps for a whole minute.
#include <csignal>
#include <iostream>
#include <thread>

#include "replication/side.hpp"
#include "tests/support/pgbouncer_driver.hpp"
#include "tests/support/probes.hpp"
#include "tests/support/shared_shop.hpp"
#include "tests/support/thorough.hpp"

namespace verdigris::test {
namespace {

using namespace std::chrono_literals;
using Arguments = std::vector<std::string>;

class Takeover : public SharedShop {
 protected:
  static void SetUpTestSuite() {
    SharedShop::SetUpTestSuite();
    if (shop_) end_direct_sessions(*shop_);
  }
  void SetUp() override {
    SharedShop::SetUp();
    if (IsSkipped()) return;
    probes_.emplace(*shop_);
  }
  void TearDown() override {
    probes_.reset();
    if (!IsSkipped()) std::cout << "cases: " << cases_ << std::endl;
  }

  static std::string source_of(const std::string& command) { return command == "switch" ? "blue" : "green"; }
  static std::string target_of(const std::string& command) { return other_side(source_of(command)); }
  static Arguments crossing(const std::string& command) { return {command, "--confirm", "shop"}; }

  enum class Sessions { end, stay };
  static ChildProcess put_to_sleep(const Arguments& arguments, const std::string& point, Sessions sessions = Sessions::end) {
    for (const char* name : {"sleeper.out", "sleeper.err"}) std::filesystem::remove(shop_->dir() / name);  // of another
    auto sleeper = ChildProcess::start({.argv = shop_->program(arguments),
                                        .environment = shop_->with_points({{"VERDIGRIS_STOP", point}}),
                                        .output = shop_->dir() / "sleeper.out",
                                        .errors = shop_->dir() / "sleeper.err"});
    shop_->wait_for_point(point);
    if (sessions == Sessions::stay) return sleeper;
    // What keepalives do when its host is gone.
    for (const char* color : {"blue", "green"}) {
      auto session = admin(shop_->server(color));
      run(session,
          "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name LIKE 'verdigris/shop/%'");
    }
    return sleeper;
  }

  void wake(ChildProcess& sleeper) {
    const auto before = shop_->scene();
    EXPECT_NE(before.is_blue_open, before.is_green_open);
    sleeper.send(SIGCONT);
    ASSERT_TRUE(sleeper.wait_end(Deadline::after(60s)));
    const auto errors = read(shop_->dir() / "sleeper.err");
    EXPECT_EQ(sleeper.exit_code(), 8) << errors;
    EXPECT_NE(errors.find("another controller"), std::string::npos) << errors;
    EXPECT_EQ(shop_->scene().text, before.text) << "it did something all the same: " << errors;
    expect_one_side(before.serves);
    ++cases_;
  }

  void expect_done(const Arguments& arguments, const std::string& serves) {
    const auto answer = shop_->command(arguments);
    ASSERT_EQ(answer.exit_code, 0) << answer.errors;
    ASSERT_EQ(shop_->serving(), serves);
    expect_one_side(serves);
  }
  void expect_one_side(const std::string& serves) { EXPECT_EQ(probes_->contradiction(serves), ""); }

  // Moved there by a crossing that nobody disturbs.
  void bring_to(const std::string& color) {
    if (shop_->serving() == color) return;
    const auto answer = shop_->cross(color == "green" ? "switch" : "rollback");
    ASSERT_EQ(answer.exit_code, 0) << answer.errors;
    expect_one_side(color);
  }

  // The source serves when `act` begins. The directions take turns over the points, the one named begins.
  template <class Act>
  void at_each(const std::string& first, const std::vector<std::string>& points, Act act) {
    for (std::size_t n = 0; n < points.size(); ++n)
      for (const std::string command : {"switch", "rollback"}) {
        const std::string& point = points[n];
        if (!is_thorough() && (command == first) != (n % 2 == 0)) continue;
        SCOPED_TRACE(command + " sleeps at " + point);
        std::cout << command << " " << point << std::endl;
        bring_to(source_of(command));
        if (!HasFailure()) act(command, point);
        if (HasFailure()) return;
      }
  }

  std::optional<Probes> probes_;
  int cases_ = 0;
};

std::vector<std::string> with_more(std::vector<std::string> points, const std::vector<std::string>& more) {
  if (is_thorough()) points.insert(points.end(), more.begin(), more.end());
  return points;
}

TEST_F(Takeover, AboveTheLineAnUndonePlanIsLeftAlone) {
  at_each("switch", with_more({"after:begin:prove_parity", "before:committed"},
                    {"after:apply:pause_traffic", "after:apply:fence_source", "after:apply:drain_to_marker"}),
          [&](const std::string& command, const std::string& point) {
            auto sleeper = put_to_sleep(crossing(command), point);
            expect_done({"recover", "--yes"}, source_of(command));
            wake(sleeper);
          });
}

// The other one has not only undone: it crossed the line with a plan of its own, and what the sleeper would decide or
// open is the side that follows by now.
TEST_F(Takeover, AboveTheLineASideThatWasLeftMeanwhileIsNotOpened) {
  at_each("rollback", {"before:committed"}, [&](const std::string& command, const std::string& point) {
    auto sleeper = put_to_sleep(crossing(command), point);
    expect_done({"recover", "--yes"}, source_of(command));
    bring_to(target_of(command));
    wake(sleeper);
  });
}

// A `recover` that sleeps in the midst of undoing: the source is opened by another one, which leaves it again.
TEST_F(Takeover, AnUndoingThatOthersEndedIsNotCarriedOn) {
  at_each("switch",
          with_more({"before:undone", "after:undone"}, {"after:undo:fence_source", "after:undo:pause_traffic"}),
          [&](const std::string& command, const std::string& point) {
            ASSERT_EQ(shop_->cross(command, {{"VERDIGRIS_CRASH", "before:committed"}}).exit_code, kKilled);
            auto sleeper = put_to_sleep({"recover", "--yes"}, point);
            expect_done({"recover", "--yes"}, source_of(command));
            bring_to(target_of(command));
            wake(sleeper);
          });
}

// The dangerous one: by its own plan the sleeper would have to open the target, which by now follows the source again.
TEST_F(Takeover, BelowTheLineTheTargetIsNotOpenedASecondTime) {
  at_each("switch", with_more({"after:begin:open_target", "after:begin:open_target", "before:committed_on_target"},
                    {"after:committed", "after:committed_on_target"}),
          [&](const std::string& command, const std::string& point) {
            auto sleeper = put_to_sleep(crossing(command), point);
            expect_done({"recover", "--yes"}, target_of(command));
            bring_to(source_of(command));
            wake(sleeper);
          });
}

TEST_F(Takeover, BelowTheLineAFinishedPlanIsNotCarriedOn) {
  at_each("rollback", with_more({"after:apply:open_target"}, {"after:apply:move_traffic", "after:apply:start_reverse"}),
          [&](const std::string& command, const std::string& point) {
            auto sleeper = put_to_sleep(crossing(command), point);
            expect_done({"recover", "--yes"}, target_of(command));
            wake(sleeper);
          });
}

// Stopped, and not gone: its host answers for it, so its sessions last, and clients are held. Only who says so ends them.
TEST_F(Takeover, OneThatIsStoppedIsTakenOverByTheOperatorsWordOnly) {
  at_each("switch", {"before:committed", "before:committed_on_target"}, [&](const std::string& command, const std::string& point) {
    auto sleeper = put_to_sleep(crossing(command), point, Sessions::stay);
    const auto refused = shop_->command({"recover", "--yes"});
    EXPECT_EQ(refused.exit_code, 8) << refused.json << refused.errors;
    EXPECT_NE(refused.errors.find("verdigris recover --take-over"), std::string::npos) << refused.errors;
    EXPECT_NE(refused.errors.find("verdigris/shop/control"), std::string::npos) << refused.errors;
    EXPECT_EQ(shop_->command({"recover", "--dry-run", "--take-over"}).exit_code, 0);
    expect_done({"recover", "--yes", "--take-over"}, point == "before:committed" ? source_of(command) : target_of(command));
    wake(sleeper);
  });
}

// Longer than any keepalive or time-out that could have been forgotten; the others work on meanwhile.
TEST_F(Takeover, AWholeMinuteOfSleepChangesNothing) {
  if (!is_thorough()) GTEST_SKIP() << "sleeps for a minute; scripts/soak crashes runs it";
  const std::vector<std::string> points{"before:committed", "before:committed_on_target"};
  at_each("switch", points, [&](const std::string& command, const std::string& point) {
    auto sleeper = put_to_sleep(crossing(command), point);
    const auto awake = Deadline::after(60s);
    expect_done({"recover", "--yes"}, point == "before:committed" ? source_of(command) : target_of(command));
    while (!awake.has_passed()) {
      bring_to(other_side(shop_->serving()));
      std::this_thread::sleep_for(5s);
    }
    wake(sleeper);
  });
}

}  // namespace
}  // namespace verdigris::test
