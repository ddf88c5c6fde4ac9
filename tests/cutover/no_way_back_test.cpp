// The reverse slot is lost right behind the line: clients stay where they are served, the plan ends all the same, and
// everybody is told that there is no way back.
#include "tests/support/shop.hpp"

namespace verdigris::test {
namespace {

using namespace std::chrono_literals;

class NoWayBack : public testing::Test {
 protected:
  void SetUp() override {
    NEED_POSTGRES(15);
    NEED_POSTGRES(17);
    shop_.emplace();
  }

  // As a server without room does it: the WAL that the slot needs is removed.
  void invalidate_slot(const std::string& color, const std::string& slot) {
    auto server = admin(shop_->server(color));
    run(server, "ALTER SYSTEM SET max_slot_wal_keep_size = '1MB'");
    run(server, "SELECT pg_reload_conf()");
    const auto deadline = Deadline::after(30s);
    while (value(server, "SELECT wal_status FROM pg_replication_slots WHERE slot_name = '" + slot + "'") != "lost") {
      ASSERT_FALSE(deadline.has_passed()) << "the slot does not get lost";
      run(server, "SELECT pg_logical_emit_message(false, 'test', repeat('x', 1000000)) FROM generate_series(1, 20)");
      run(server, "SELECT pg_switch_wal()");
      run(server, "CHECKPOINT");
    }
  }

  std::optional<Shop> shop_;
};

TEST_F(NoWayBack, EndsTheSwitchTellsItAndCanBeFinished) {
  auto killed = shop_->cross("switch", {{"VERDIGRIS_CRASH", "after:begin:open_target"}});
  ASSERT_EQ(killed.exit_code, kKilled) << killed.errors;
  invalidate_slot("green", "verdigris_shop_rev");
  if (HasFatalFailure()) return;

  const auto recovered = shop_->command({"recover", "--yes"});
  EXPECT_EQ(recovered.exit_code, 6) << recovered.errors;
  EXPECT_EQ(recovered.json.value("phase", "?"), "switched") << recovered.json;
  EXPECT_NE(recovered.json.value("way_back", "?").find("slot verdigris_shop_rev is lost"), std::string::npos)
      << recovered.json;
  const auto scene = shop_->scene();
  EXPECT_TRUE(scene.is_green_open);
  EXPECT_FALSE(scene.is_blue_open);
  EXPECT_EQ(scene.routed_to, "green");
  EXPECT_EQ(scene.activity, "none");
  const auto status = shop_->command({"status"});
  EXPECT_NE(status.json.value("way_back", "?").find("no: "), std::string::npos) << status.json;

  const auto rollback = shop_->command({"rollback", "--confirm", "shop"});
  EXPECT_EQ(rollback.exit_code, 3) << rollback.errors;
  EXPECT_NE(rollback.errors.find("there is no way back"), std::string::npos) << rollback.errors;
  EXPECT_EQ(shop_->scene().text, scene.text) << "refused, and something changed";

  const auto finish = shop_->command({"finish", "--now", "--confirm", "shop"});
  EXPECT_EQ(finish.exit_code, 0) << finish.errors;
  EXPECT_EQ(shop_->command({"status"}).json.value("phase", "?"), "finished");
}

// Lost later, while green serves and blue follows.
TEST_F(NoWayBack, LostAfterTheSwitchRefusesRollbackAndCanBeFinished) {
  const auto crossed = shop_->cross("switch");
  ASSERT_EQ(crossed.exit_code, 0) << crossed.errors;
  auto blue = admin(shop_->server("blue"));
  run(blue, "ALTER SUBSCRIPTION verdigris_shop_rev DISABLE");
  blue.close();  // finish wants no client there
  invalidate_slot("green", "verdigris_shop_rev");
  if (HasFatalFailure()) return;
  const auto rollback = shop_->command({"rollback", "--confirm", "shop"});
  EXPECT_EQ(rollback.exit_code, 3) << rollback.errors;
  EXPECT_NE(rollback.errors.find("has received nothing after"), std::string::npos) << rollback.errors;
  EXPECT_EQ(shop_->command({"status"}).json.value("way_back", "?"), "broken: slot lost");
  const auto finish = shop_->command({"finish", "--now", "--confirm", "shop"});
  EXPECT_EQ(finish.exit_code, 0) << finish.errors;
}

}  // namespace
}  // namespace verdigris::test
