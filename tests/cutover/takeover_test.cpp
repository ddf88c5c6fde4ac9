// A controller sleeps (a suspended host) while its sessions end and another one takes over. When it wakes it must not do
// one more thing: neither undo nor open what by then belongs to somebody else's plan.
#include <csignal>

#include "tests/support/pgbouncer_driver.hpp"
#include "tests/support/shared_shop.hpp"

namespace verdigris::test {
namespace {

using namespace std::chrono_literals;

class Takeover : public SharedShop {
 protected:
  ChildProcess put_to_sleep(const std::string& command, const std::string& point) {
    auto sleeper = ChildProcess::start({.argv = shop_->program({command, "--confirm", "shop"}),
                                        .environment = shop_->with_points({{"VERDIGRIS_STOP", point}}),
                                        .output = shop_->dir() / "sleeper.out",
                                        .errors = shop_->dir() / "sleeper.err"});
    shop_->wait_for_point(point);
    // What keepalives do when its host is gone.
    for (const char* color : {"blue", "green"}) {
      auto session = admin(shop_->server(color));
      run(session, "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name LIKE 'verdigris/shop/%'");
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
  }

  void expect_done(const std::vector<std::string>& arguments) {
    const auto answer = shop_->command(arguments);
    ASSERT_EQ(answer.exit_code, 0) << answer.errors;
  }
};

TEST_F(Takeover, AboveTheLineAnUndonePlanIsLeftAlone) {
  auto sleeper = put_to_sleep("switch", "after:begin:prove_parity");
  expect_done({"recover", "--yes"});
  EXPECT_EQ(shop_->serving(), "blue");
  wake(sleeper);
}

// The dangerous one: by its own plan the sleeper would have to open green, which by now follows blue again.
TEST_F(Takeover, BelowTheLineTheTargetIsNotOpenedASecondTime) {
  auto sleeper = put_to_sleep("switch", "after:begin:open_target");
  expect_done({"recover", "--yes"});
  ASSERT_EQ(shop_->serving(), "green");
  expect_done({"rollback", "--confirm", "shop"});
  ASSERT_EQ(shop_->serving(), "blue");
  wake(sleeper);
}

TEST_F(Takeover, BelowTheLineAFinishedPlanIsNotCarriedOn) {
  auto sleeper = put_to_sleep("switch", "after:apply:open_target");
  expect_done({"recover", "--yes"});
  ASSERT_EQ(shop_->serving(), "green");
  wake(sleeper);
  expect_done({"rollback", "--confirm", "shop"});
}

}  // namespace
}  // namespace verdigris::test
