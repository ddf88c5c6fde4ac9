// hold and release: from another process, without the lease, a crossing is kept from holding clients, says so, and goes on
// when it is let. Whoever is told "held" can rely on it, at whatever instant it is said.
#include <csignal>
#include <thread>

#include "tests/support/pgbouncer_driver.hpp"
#include "tests/support/shared_shop.hpp"

namespace verdigris::test {
namespace {

using namespace std::chrono_literals;

class HoldCommand : public SharedShop {
 protected:
  ChildProcess start(const std::string& command, const Environment& environment = {}, std::vector<std::string> more = {}) {
    for (const char* name : {"crossing.out", "crossing.err"}) std::filesystem::remove(shop_->dir() / name);
    more.insert(more.begin(), {command, "--confirm", "shop"});
    return ChildProcess::start({.argv = shop_->program(more),
                                .environment = shop_->with_points(environment),
                                .output = shop_->dir() / "crossing.out",
                                .errors = shop_->dir() / "crossing.err"});
  }
  std::string errors() const {
    const auto file = shop_->dir() / "crossing.err";
    return std::filesystem::exists(file) ? read(file) : "";
  }
  // How long it took.
  std::chrono::milliseconds wait_for_word(const std::string& word, ChildProcess& crossing) {
    const auto begin = std::chrono::steady_clock::now();
    const auto deadline = Deadline::after(60s);
    while (errors().find(word) == std::string::npos) {
      if (!crossing.is_running() || deadline.has_passed()) {
        ADD_FAILURE() << "no \"" << word << "\" in: " << errors();
        break;
      }
      std::this_thread::sleep_for(2ms);
    }
    return std::chrono::duration_cast<std::chrono::milliseconds>(std::chrono::steady_clock::now() - begin);
  }
  void expect_running_as_before(const std::string& serving) {
    const auto scene = shop_->scene();
    EXPECT_TRUE(serving == "blue" ? scene.is_blue_open : scene.is_green_open) << scene.text;
    EXPECT_TRUE(serving == "blue" ? scene.is_green_closed : scene.is_blue_closed) << scene.text;
    EXPECT_FALSE(scene.is_paused) << scene.text;
    EXPECT_EQ(scene.routed_to, serving);
  }
  void expect_ends(ChildProcess& crossing, int exit_code) {
    ASSERT_TRUE(crossing.wait_end(Deadline::after(60s))) << errors();
    EXPECT_EQ(crossing.exit_code(), exit_code) << errors();
  }
  // Held while it stands at that point of its way, then let go on.
  Answer hold_at(const std::string& point, ChildProcess& crossing) {
    shop_->wait_for_point(point);
    auto answer = shop_->command({"hold"});
    crossing.send(SIGCONT);
    return answer;
  }
};

TEST_F(HoldCommand, ASwitchToComeWaitsSaysSoAndGoesOnWithinASecond) {
  const auto held = shop_->command({"hold"});
  ASSERT_EQ(held.exit_code, 0) << held.errors;
  EXPECT_EQ(held.json.value("result", ""), "done");
  EXPECT_EQ(shop_->command({"hold"}).json.value("result", ""), "nothing_to_do");
  auto crossing = start("switch");
  wait_for_word("held by " + held.json.value("by", "?"), crossing);
  const auto status = shop_->command({"status"}).json;
  EXPECT_EQ(status.at("held").value("by", ""), held.json.value("by", "?"));
  EXPECT_EQ(status.value("activity", ""), "switch");
  EXPECT_FALSE(status.value("can_switch", true));
  std::this_thread::sleep_for(1s);
  ASSERT_TRUE(crossing.is_running()) << errors();
  expect_running_as_before("blue");
  EXPECT_EQ(shop_->command({"release"}).exit_code, 0);
  EXPECT_LT(wait_for_word("goes on", crossing), 1s);
  expect_ends(crossing, 0);
  expect_running_as_before("green");
  EXPECT_EQ(shop_->command({"release"}).json.value("result", ""), "nothing_to_do");
}

TEST_F(HoldCommand, ARollbackIsHeldInItsLastMomentToo) {
  auto crossing = start("rollback", {{"VERDIGRIS_STOP", "after:apply:stand_ready"}});
  EXPECT_EQ(hold_at("after:apply:stand_ready", crossing).exit_code, 0);
  wait_for_word("held by", crossing);
  std::this_thread::sleep_for(500ms);
  ASSERT_TRUE(crossing.is_running()) << errors();
  expect_running_as_before("green");
  EXPECT_EQ(shop_->command({"release"}).exit_code, 0);
  expect_ends(crossing, 0);
  expect_running_as_before("blue");
}

// Between them these two leave no instant: the record of the window stands, or it does not.
TEST_F(HoldCommand, ToldHeldRightBeforeTheRecordOfTheWindowItIsHeld) {
  auto crossing = start("switch", {{"VERDIGRIS_STOP", "before:window"}});
  EXPECT_EQ(hold_at("before:window", crossing).exit_code, 0);
  wait_for_word("held by", crossing);
  expect_running_as_before("blue");
  crossing.send(SIGTERM);
  expect_ends(crossing, 143);
  EXPECT_EQ(shop_->command({"release"}).exit_code, 0);
}

TEST_F(HoldCommand, RightBehindThatRecordItIsTooLateAndNothingStays) {
  auto crossing = start("switch", {{"VERDIGRIS_STOP", "after:window"}});
  const auto answer = hold_at("after:window", crossing);
  EXPECT_EQ(answer.exit_code, 3) << answer.json;
  EXPECT_EQ(answer.json.at("error").value("id", ""), "hold.too-late");
  expect_ends(crossing, 0);
  expect_running_as_before("green");
  EXPECT_TRUE(shop_->command({"status"}).json.at("held").is_null());
  EXPECT_EQ(shop_->cross("rollback").exit_code, 0);
}

// The window is opened between the first look of hold and its word.
TEST_F(HoldCommand, OvertakenByTheRecordItIsTooLateToo) {
  auto hold = ChildProcess::start({.argv = shop_->program({"hold"}),
                                   .environment = shop_->with_points({{"VERDIGRIS_STOP", "before:hold"}}),
                                   .output = shop_->dir() / "hold.out",
                                   .errors = shop_->dir() / "hold.err"});
  shop_->wait_for_point("before:hold");
  auto crossing = start("switch", {{"VERDIGRIS_STOP", "after:window"}});
  shop_->wait_for_point("after:window");
  hold.send(SIGCONT);
  ASSERT_TRUE(hold.wait_end(Deadline::after(30s)));
  EXPECT_EQ(hold.exit_code(), 3) << read(shop_->dir() / "hold.err");
  crossing.send(SIGCONT);
  expect_ends(crossing, 0);
  EXPECT_TRUE(shop_->command({"status"}).json.at("held").is_null());
  EXPECT_EQ(shop_->cross("rollback").exit_code, 0);
}

TEST_F(HoldCommand, BeyondTheTimeoutItIsUndoneWithSeven) {
  ASSERT_EQ(shop_->command({"hold"}).exit_code, 0);
  const auto answer = shop_->command({"switch", "--confirm", "shop", "--timeout", "20s"});
  EXPECT_EQ(answer.exit_code, 7) << answer.json << answer.errors;
  EXPECT_EQ(answer.json.value("result", ""), "undone");
  for (const char* word : {"held by", "--timeout 20s"})
    EXPECT_NE(answer.json.value("reason", "").find(word), std::string::npos) << answer.json;
  EXPECT_NE(answer.json.value("hint", "").find("verdigris release"), std::string::npos) << answer.json;
  expect_running_as_before("blue");
  EXPECT_EQ(shop_->scene().activity, "none");
  EXPECT_EQ(shop_->command({"release"}).exit_code, 0);
}

TEST_F(HoldCommand, ASignalEndsTheWaitAndLeavesNothingBehind) {
  ASSERT_EQ(shop_->command({"hold"}).exit_code, 0);
  for (const auto& [signal, exit_code] : {std::pair{SIGTERM, 143}, std::pair{SIGINT, 130}}) {
    auto crossing = start("switch");
    wait_for_word("held by", crossing);
    crossing.send(signal);
    expect_ends(crossing, exit_code);
    expect_running_as_before("blue");
    EXPECT_EQ(shop_->scene().activity, "none");
    EXPECT_FALSE(std::filesystem::exists(shop_->pooler().ini().string() + ".verdigris-staged"));
  }
  EXPECT_EQ(shop_->command({"release"}).exit_code, 0);
}

TEST_F(HoldCommand, WhenThereIsNothingToComeThereIsNothingToHold) {
  ASSERT_EQ(shop_->cross("switch").exit_code, 0);
  ASSERT_EQ(shop_->command({"finish", "--now", "--confirm", "shop"}).exit_code, 0);
  const auto answer = shop_->command({"hold"});
  EXPECT_EQ(answer.exit_code, 3) << answer.json;
  EXPECT_EQ(answer.json.at("error").value("id", ""), "hold.nothing");
}

}  // namespace
}  // namespace verdigris::test
