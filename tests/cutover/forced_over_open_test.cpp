// rollback --force over a crossing that only green could end, and green is lost: a switch that was decided, a rollback that
// was not. Blue opens, nothing of either stream is left on it, and a green that comes back is closed.
#include "controller/pgbouncer_console.hpp"
#include "tests/support/forced_shop.hpp"

namespace verdigris::test {
namespace {

class ForcedOverOpen : public ForcedShop {
 protected:
  void kill_green_in(const std::string& command, const std::string& point) {
    const auto killed = shop_->cross(command, {{"VERDIGRIS_CRASH", point}});
    ASSERT_EQ(killed.exit_code, kKilled) << killed.errors;
    shop_->server("green").stop_immediate();
    const auto recovered = shop_->command({"recover", "--yes"});
    EXPECT_EQ(recovered.exit_code, 6) << recovered.errors;
    EXPECT_NE(recovered.errors.find("verdigris rollback --force"), std::string::npos) << recovered.errors;
    EXPECT_EQ(fence_of("blue"), FenceState::closed);
  }
  void expect_blue_serves_alone() {
    EXPECT_EQ(fence_of("blue"), FenceState::open);
    EXPECT_EQ(ask("blue", "SELECT count(*) FROM pg_subscription"), "0");
    EXPECT_EQ(ask("blue", "SELECT count(*) FROM pg_replication_slots"), "0") << "one would keep WAL for ever";
    auto client = Connection::open_plain(shop_->pooler().client("app", "shop"), {"client", "test", false, {}}, soon());
    run(client, "INSERT INTO public.ledger_a VALUES (88, 1, 0)");
    EXPECT_EQ(ask("blue", "SELECT count(*) FROM public.ledger_a WHERE writer = 88"), "1");
    const auto status = shop_->command({"status"});
    EXPECT_EQ(status.json.value("serves", "?"), "blue") << status.json;
    EXPECT_EQ(status.json.value("activity", "?"), "none") << status.json;
  }
  // `was_open`: whether its own server lets clients in when it comes up.
  void expect_green_is_closed_when_it_returns(bool was_open) {
    shop_->server("green").start();
    EXPECT_EQ(fence_of("green") == FenceState::open, was_open);
    const auto recovered = shop_->command({"recover", "--yes"});
    EXPECT_EQ(recovered.exit_code, was_open ? 6 : 0) << recovered.errors;
    EXPECT_NE(fence_of("green"), FenceState::open);
    EXPECT_TRUE(shop_->scene().is_green_closed);
    EXPECT_EQ(fence_of("blue"), FenceState::open);
    const auto abandoned = shop_->command({"abandon", "--drop-green", "--confirm", "shop"});
    EXPECT_EQ(abandoned.exit_code, 0) << abandoned.errors;
    for (const char* color : {"blue", "green"})
      EXPECT_EQ(ask(color, "SELECT (SELECT count(*) FROM pg_replication_slots) + (SELECT count(*) FROM pg_subscription)"), "0") << color;
    EXPECT_EQ(shop_->command({"prepare", "--yes"}).exit_code, 0);
    EXPECT_EQ(shop_->cross("switch").exit_code, 0);
  }
};

// It stands on blue only, so green was never opened: nothing is lost, and nothing can be known of that but the time.
TEST_F(ForcedOverOpen, ADecidedSwitchWhoseGreenNeverOpened) {
  shop_->start_load();
  kill_green_in("switch", "after:committed");
  const auto refused = shop_->command({"rollback", "--force", "--confirm", "shop"});
  EXPECT_EQ(refused.exit_code, 3) << refused.errors;
  EXPECT_NE(refused.errors.find("since the switch was decided"), std::string::npos) << refused.errors;
  EXPECT_EQ(force("0s").exit_code, 3);
  EXPECT_EQ(fence_of("blue"), FenceState::closed);
  const auto forced = force("1h");
  ASSERT_EQ(forced.exit_code, 0) << forced.errors;
  EXPECT_EQ(forced.json.value("serves", "?"), "blue") << forced.json;
  std::this_thread::sleep_for(std::chrono::seconds(1));
  shop_->stop_load();
  const auto verdict = shop_->ledger("blue");
  EXPECT_TRUE(verdict.is_clean()) << verdict.lost << " lost, " << verdict.sequence_twice << " values twice";
  expect_blue_serves_alone();
  expect_green_is_closed_when_it_returns(false);
}

TEST_F(ForcedOverOpen, ADecidedSwitchWhoseGreenTookWrites) {
  kill_green_in("switch", "after:apply:start_reverse");
  const auto forced = force("1h");
  ASSERT_EQ(forced.exit_code, 0) << forced.errors;
  expect_blue_serves_alone();
  expect_green_is_closed_when_it_returns(true);
}

TEST_F(ForcedOverOpen, UndoneItLeavesTheSwitchToGreenShouldItReturn) {
  kill_green_in("switch", "after:committed");
  const auto killed = force("1h", {{"VERDIGRIS_CRASH", "after:apply:stop_reverse"}});
  ASSERT_EQ(killed.exit_code, kKilled) << killed.errors;
  const auto undone = shop_->command({"recover", "--yes"});
  EXPECT_EQ(undone.exit_code, 6) << undone.errors;
  EXPECT_EQ(undone.json.value("open", "?"), "switch") << undone.json;
  EXPECT_EQ(fence_of("blue"), FenceState::closed);
  EXPECT_EQ(shop_->command({"status"}).json.value("activity", "?"), "interrupted");
  auto console = PgBouncerConsole::open("shop", shop_->pooler().admin(), soon());
  EXPECT_TRUE(console.database("shop", soon()).is_paused) << "the pooler still leads to blue, which turns everybody away";
  shop_->server("green").start();
  const auto answers = force("1h");
  EXPECT_EQ(answers.exit_code, 3) << answers.errors;
  EXPECT_NE(answers.errors.find("green answers"), std::string::npos) << answers.errors;
  const auto completed = shop_->command({"recover", "--yes"});
  EXPECT_EQ(completed.exit_code, 0) << completed.errors;
  const auto scene = shop_->scene();
  EXPECT_EQ(scene.serves, "green");
  EXPECT_TRUE(scene.is_green_open) << scene.text;
  EXPECT_TRUE(scene.is_blue_closed) << scene.text;
  EXPECT_EQ(shop_->difference_after_marker("green", "blue"), "");
  for (const char* color : {"blue", "green"})
    EXPECT_EQ(ask(color, "SELECT count(*) FROM verdigris.journal WHERE event = 'committed'"), "1") << "the decision stands on " << color;
}

TEST_F(ForcedOverOpen, ARollbackThatWasNotDecided) {
  ASSERT_EQ(shop_->cross("switch").exit_code, 0);
  kill_green_in("rollback", "after:apply:drain_to_marker");
  const auto forced = force("1h");
  ASSERT_EQ(forced.exit_code, 0) << forced.errors;
  expect_blue_serves_alone();
  expect_green_is_closed_when_it_returns(false);
}

}  // namespace
}  // namespace verdigris::test
