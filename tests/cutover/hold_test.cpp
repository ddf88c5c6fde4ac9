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
  ChildProcess start_hold(const Environment& environment = {}) {
    for (const char* name : {"hold.out", "hold.err"}) std::filesystem::remove(shop_->dir() / name);
    return ChildProcess::start({.argv = shop_->program({"hold"}),
                                .environment = environment,
                                .output = shop_->dir() / "hold.out",
                                .errors = shop_->dir() / "hold.err"});
  }
  void expect_too_late(ChildProcess& hold) {
    ASSERT_TRUE(hold.wait_end(Deadline::after(60s)));
    EXPECT_EQ(hold.exit_code(), 3) << read(shop_->dir() / "hold.err");
    EXPECT_NE(read(shop_->dir() / "hold.out").find("hold.too-late"), std::string::npos) << read(shop_->dir() / "hold.out");
  }
  void end_sessions_of_ours() {
    for (const char* color : {"blue", "green"}) {
      auto session = admin(shop_->server(color));
      run(session, "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name LIKE 'verdigris/shop/%'");
    }
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

// The controller looks for a hold behind its record: it sees this one, which waits to see how that ends.
TEST_F(HoldCommand, RightBehindThatRecordItIsHeldToo) {
  auto crossing = start("switch", {{"VERDIGRIS_STOP", "after:window"}});
  shop_->wait_for_point("after:window");
  auto hold = start_hold();
  while (hold.is_running() && shop_->command({"status"}).json.at("held").is_null()) std::this_thread::sleep_for(5ms);
  EXPECT_TRUE(hold.is_running()) << read(shop_->dir() / "hold.err");
  crossing.send(SIGCONT);
  ASSERT_TRUE(hold.wait_end(Deadline::after(60s)));
  EXPECT_EQ(hold.exit_code(), 0) << read(shop_->dir() / "hold.err");
  wait_for_word("held by", crossing);
  expect_running_as_before("blue");
  crossing.send(SIGTERM);
  expect_ends(crossing, 143);
  EXPECT_EQ(shop_->command({"release"}).exit_code, 0);
}

TEST_F(HoldCommand, BehindItsLastLookItIsTooLateAndNothingStays) {
  auto crossing = start("switch", {{"VERDIGRIS_STOP", "before:begin:pause_traffic"}});
  shop_->wait_for_point("before:begin:pause_traffic");
  auto hold = start_hold();
  while (hold.is_running() && shop_->command({"status"}).json.at("held").is_null()) std::this_thread::sleep_for(5ms);
  crossing.send(SIGCONT);
  expect_too_late(hold);
  expect_ends(crossing, 0);
  expect_running_as_before("green");
  EXPECT_TRUE(shop_->command({"status"}).json.at("held").is_null());
  EXPECT_EQ(shop_->cross("rollback").exit_code, 0);
}

// The window is opened between the first look of hold and its word.
TEST_F(HoldCommand, OvertakenByTheRecordItIsTooLateToo) {
  auto hold = start_hold(shop_->with_points({{"VERDIGRIS_STOP", "before:hold"}}));
  shop_->wait_for_point("before:hold");
  auto crossing = start("switch", {{"VERDIGRIS_STOP", "before:begin:pause_traffic"}});
  shop_->wait_for_point("before:begin:pause_traffic");
  hold.send(SIGCONT);
  while (hold.is_running() && shop_->command({"status"}).json.at("held").is_null()) std::this_thread::sleep_for(5ms);
  crossing.send(SIGCONT);
  expect_too_late(hold);
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

// Nothing is touched yet: the sessions are opened anew, with the leases, and everything is looked at again.
TEST_F(HoldCommand, SessionsThatAreLostMeanwhileAreOpenedAnew) {
  ASSERT_EQ(shop_->command({"hold"}).exit_code, 0);
  auto crossing = start("switch");
  wait_for_word("held by", crossing);
  end_sessions_of_ours();
  wait_for_word("trying again", crossing);
  shop_->server("blue").stop_immediate();
  std::this_thread::sleep_for(1s);
  shop_->server("blue").start();
  std::this_thread::sleep_for(2s);
  ASSERT_TRUE(crossing.is_running()) << errors();
  expect_running_as_before("blue");
  EXPECT_EQ(shop_->command({"status"}).json.value("activity", ""), "switch");
  EXPECT_EQ(shop_->command({"release"}).exit_code, 0);
  expect_ends(crossing, 0);
  expect_running_as_before("green");
  EXPECT_EQ(shop_->cross("rollback").exit_code, 0);
}

// Somebody else's plan came between: it is not gone on with.
TEST_F(HoldCommand, WhoeverLostItsSessionsToAnotherControllerDoesNothingMore) {
  ASSERT_EQ(shop_->command({"hold"}).exit_code, 0);
  auto crossing = start("switch", {}, {"--timeout", "60s"});
  wait_for_word("held by", crossing);
  crossing.send(SIGSTOP);
  end_sessions_of_ours();
  EXPECT_EQ(shop_->command({"recover", "--yes"}).exit_code, 0);
  const auto before = shop_->scene().text;
  crossing.send(SIGCONT);
  expect_ends(crossing, 8);
  EXPECT_EQ(shop_->scene().text, before);
  EXPECT_EQ(shop_->command({"release"}).exit_code, 0);
}

// Undecided it is undone by recover, and the next one is held; decided it can only be completed.
TEST_F(HoldCommand, OfACrossingWhoseControllerDiedItPointsToRecover) {
  auto killed = shop_->cross("switch", {{"VERDIGRIS_CRASH", "after:apply:pause_traffic"}});
  ASSERT_EQ(killed.exit_code, kKilled) << killed.errors;
  const auto held = shop_->command({"hold"});
  EXPECT_EQ(held.exit_code, 0) << held.json << held.errors;
  EXPECT_NE(held.errors.find("Run verdigris recover"), std::string::npos) << held.errors;
  EXPECT_EQ(shop_->command({"recover", "--yes"}).exit_code, 0);
  EXPECT_FALSE(shop_->command({"status"}).json.at("held").is_null());
  expect_running_as_before("blue");
  EXPECT_EQ(shop_->command({"release"}).exit_code, 0);

  killed = shop_->cross("switch", {{"VERDIGRIS_CRASH", "after:apply:open_target"}});
  ASSERT_EQ(killed.exit_code, kKilled) << killed.errors;
  const auto late = shop_->command({"hold"});
  EXPECT_EQ(late.exit_code, 3) << late.json;
  EXPECT_NE(late.json.at("error").value("hint", "").find("verdigris recover"), std::string::npos) << late.json;
  EXPECT_EQ(shop_->command({"recover", "--yes"}).exit_code, 0);
  EXPECT_TRUE(shop_->command({"status"}).json.at("held").is_null());
  EXPECT_EQ(shop_->cross("rollback").exit_code, 0);
}

TEST_F(HoldCommand, WhenThereIsNothingToComeThereIsNothingToHold) {
  ASSERT_EQ(shop_->cross("switch").exit_code, 0);
  ASSERT_EQ(shop_->command({"hold"}).exit_code, 0);
  ASSERT_EQ(shop_->command({"finish", "--now", "--confirm", "shop"}).exit_code, 0);
  const auto answer = shop_->command({"hold"});
  EXPECT_EQ(answer.exit_code, 3) << answer.json;
  EXPECT_EQ(answer.json.at("error").value("id", ""), "hold.nothing");
  EXPECT_TRUE(shop_->command({"status"}).json.at("held").is_null()) << "finish leaves no hold behind";
  for (const char* color : {"blue", "green"}) {
    auto session = admin(shop_->server(color));
    EXPECT_EQ(value(session, "SELECT count(*) FROM verdigris.saved WHERE key = 'hold'"), "0") << color;
  }
}

}  // namespace
}  // namespace verdigris::test
