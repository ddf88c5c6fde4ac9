// rollback --force: green is lost or wrong after a switch, and blue opens without it. The steps hold_traffic, leave_green,
// drain_left, stop_reverse and raise_sequences, the decision with an epoch of its own, and a green that comes back.
#include "controller/steps/raise_sequences.hpp"
#include "tests/support/forced_shop.hpp"
#include "tests/support/pgbouncer_driver.hpp"

namespace verdigris::test {
namespace {

class ForcedRollback : public ForcedShop {
 protected:
  void SetUp() override {
    ForcedShop::SetUp();
    if (IsSkipped()) return;
    const auto answer = shop_->cross("switch");
    ASSERT_EQ(answer.exit_code, 0) << answer.errors;
  }

  std::int64_t rows_on(const std::string& color) { return std::stoll(ask(color, "SELECT count(*) FROM public.ledger_b")); }
};

TEST_F(ForcedRollback, GreenIsKilledUnderWrites) {
  shop_->start_load();
  const auto numbered = ask("green", "SELECT last_value FROM verdigris.sequence_seen WHERE side = 'green' LIMIT 1");
  EXPECT_NE(numbered, "") << "the end of a switch writes the positions";
  const std::string name = "public.ledger_seq";
  const auto answer = shop_->command({"verify", "--mode", "counts"});
  EXPECT_EQ(answer.exit_code, 0) << answer.errors;
  const std::string seen_sql = "SELECT last_value FROM verdigris.sequence_seen WHERE side = 'green' AND name = '" + name + "'";
  const auto seen = std::stoll(ask("blue", seen_sql));
  const auto handed_out = std::stoll(ask("green", "SELECT nextval('" + name + "') FROM generate_series(1, 500) ORDER BY 1 DESC LIMIT 1"));
  shop_->server("green").stop_immediate();

  const auto refused = shop_->command({"rollback", "--force", "--confirm", "shop"});
  EXPECT_EQ(refused.exit_code, 3) << refused.errors;
  EXPECT_NE(refused.errors.find("s ago; the distance in WAL is unknown"), std::string::npos) << refused.errors;
  for (const char* too_little : {"0", "1GiB", "0s"}) EXPECT_EQ(force(too_little).exit_code, 3) << too_little;
  const auto dry = shop_->command({"rollback", "--force", "--dry-run"});
  EXPECT_EQ(dry.exit_code, 0) << dry.errors;
  EXPECT_EQ(shop_->command({"rollback", "--force", "--accept-loss=1h"}).exit_code, 2) << "the name is asked for";
  EXPECT_EQ(fence_of("blue"), FenceState::closed);

  const auto forced = force("1h");
  ASSERT_EQ(forced.exit_code, 0) << forced.errors;
  EXPECT_EQ(forced.json.value("serves", "?"), "blue") << forced.json;
  EXPECT_NE(forced.json.value("left", "").find("slot verdigris_shop_rev"), std::string::npos) << forced.json;
  EXPECT_EQ(fence_of("blue"), FenceState::open);
  EXPECT_EQ(ask("blue", "SELECT count(*) FROM pg_subscription WHERE subname = 'verdigris_shop_rev'"), "0");
  const auto next = std::stoll(ask("blue", "SELECT nextval('" + name + "')"));
  EXPECT_GT(next, handed_out) << "nothing that green handed out is handed out again";
  EXPECT_GT(next, seen + kSequenceMargin);

  const auto before = rows_on("blue");
  for (int i = 0; i < 300 && rows_on("blue") <= before; ++i) std::this_thread::sleep_for(std::chrono::milliseconds(50));
  EXPECT_GT(rows_on("blue"), before) << "clients go on through the pooler";
  shop_->stop_load();
  const auto status = shop_->command({"status"});
  EXPECT_EQ(status.json.value("serves", "?"), "blue") << status.json;
  EXPECT_FALSE(status.json.value("can_switch", true)) << status.json;
  EXPECT_EQ(force("1h").json.value("result", "?"), "nothing_to_do");

  // It comes back as it was: open.
  shop_->server("green").start();
  EXPECT_EQ(shop_->command({"prepare"}).exit_code, 3) << "green holds what blue never got";
  EXPECT_EQ(shop_->command({"status"}).json.value("also_open", "?"), "green");
  ask("green", "INSERT INTO public.ledger_a (writer, n, seq_value) VALUES (99, 987654, 1) RETURNING 1");
  const auto recovered = shop_->command({"recover", "--yes"});
  EXPECT_EQ(recovered.exit_code, 6) << recovered.errors;
  EXPECT_NE(recovered.errors.find("verdigris abandon --drop-green"), std::string::npos) << recovered.errors;
  EXPECT_EQ(fence_of("green"), FenceState::closed);
  EXPECT_TRUE(shop_->scene().is_green_closed);
  EXPECT_EQ(shop_->command({"recover", "--yes"}).exit_code, 0);
  std::this_thread::sleep_for(std::chrono::seconds(6));  // a worker of 15 would have been started again by now
  EXPECT_EQ(ask("blue", "SELECT count(*) FROM public.ledger_a WHERE n = 987654"), "0");
  const auto abandoned = shop_->command({"abandon", "--drop-green", "--confirm", "shop"});
  EXPECT_EQ(abandoned.exit_code, 0) << abandoned.errors;
  EXPECT_EQ(ask("green", "SELECT count(*) FROM pg_replication_slots"), "0");
  EXPECT_EQ(ask("blue", "SELECT count(*) FROM pg_replication_slots"), "0");
}

// Refusing our login it still lets others in: blue beside it would make two sides that take writes.
TEST_F(ForcedRollback, GreenThatOnlyRefusesUsIsNotLost) {
  auto other = Connection::open_plain(shop_->server("green").conninfo("postgres", "shop"), {"green", "other", false, {}}, soon());
  run(other, "ALTER ROLE verdigris NOLOGIN");
  const auto refused = force("1h");
  run(other, "ALTER ROLE verdigris LOGIN");
  EXPECT_EQ(refused.exit_code, 3) << refused.json << refused.errors;
  EXPECT_NE(refused.errors.find("green answers"), std::string::npos) << refused.errors;
  EXPECT_EQ(fence_of("blue"), FenceState::closed);
  EXPECT_EQ(fence_of("green"), FenceState::open);
  EXPECT_EQ(shop_->command({"status"}).json.value("serves", "?"), "green");
}

// A way back that had been given up is off for a reason: it would apply on blue what it never should.
TEST_F(ForcedRollback, UndoneItLeavesAStreamOffThatWasOff) {
  {
    auto blue = admin(shop_->server("blue"));
    run(blue, "ALTER SUBSCRIPTION verdigris_shop_rev DISABLE");
  }
  const auto killed = force("1h", {{"VERDIGRIS_CRASH", "after:apply:stop_reverse"}});
  ASSERT_EQ(killed.exit_code, kKilled) << killed.errors;
  const auto recovered = shop_->command({"recover", "--yes"});
  EXPECT_EQ(recovered.exit_code, 0) << recovered.errors;
  EXPECT_EQ(shop_->scene().serves, "green");
  EXPECT_EQ(ask("blue", "SELECT subenabled FROM pg_subscription WHERE subname = 'verdigris_shop_rev'"), "f");
}

// Closed already, it cannot be opened again: neither side would serve but for a second forced rollback.
TEST_F(ForcedRollback, GreenDiesInTheMidstOfIt) {
  const auto killed = force("0", {{"VERDIGRIS_CRASH", "before:begin:drain_left"}});
  ASSERT_EQ(killed.exit_code, kKilled) << killed.errors;
  shop_->server("green").stop_immediate();
  const auto recovered = shop_->command({"recover", "--yes"});
  EXPECT_EQ(recovered.exit_code, 6) << recovered.errors;
  EXPECT_NE(recovered.errors.find("rollback --force again"), std::string::npos) << recovered.errors;
  const auto forced = force("1h");
  ASSERT_EQ(forced.exit_code, 0) << forced.errors;
  EXPECT_EQ(forced.json.value("serves", "?"), "blue") << forced.json;
  EXPECT_EQ(fence_of("blue"), FenceState::open);
  shop_->server("green").start();
  EXPECT_EQ(fence_of("green"), FenceState::closed);
}

TEST_F(ForcedRollback, GreenThatAnswersIsClosedAndDrainedFirst) {
  shop_->start_load();
  const auto forced = force("0");
  ASSERT_EQ(forced.exit_code, 0) << forced.errors;
  EXPECT_NE(forced.json["accounts"].dump().find("nothing is lost"), std::string::npos) << forced.json;
  std::this_thread::sleep_for(std::chrono::seconds(1));
  shop_->stop_load();
  const auto scene = shop_->scene();
  EXPECT_TRUE(scene.is_blue_open) << scene.text;
  EXPECT_TRUE(scene.is_green_closed) << scene.text;
  EXPECT_EQ(scene.routed_to, "blue");
  const auto verdict = shop_->ledger("blue");
  EXPECT_TRUE(verdict.is_clean()) << verdict.lost << " lost, " << verdict.sequence_twice << " values twice";
  EXPECT_EQ(shop_->command({"recover", "--yes"}).json.value("result", "?"), "nothing_to_do");
}

// Neither ends with the sessions of clients; what is prepared could still commit, autovacuum gives way.
TEST_F(ForcedRollback, WhoKeepsGreenFromClosingIsNamedOrGivesWay) {
  auto writer = admin(shop_->server("green"));
  run(writer, "BEGIN");
  run(writer, "INSERT INTO public.ledger_a (writer, n, seq_value) VALUES (99, 987654, 1)");
  run(writer, "PREPARE TRANSACTION 'forgotten'");
  const auto undone = force("0");
  EXPECT_EQ(undone.exit_code, 5) << undone.json << undone.errors;
  EXPECT_NE((undone.errors + undone.json.dump()).find("forgotten"), std::string::npos) << undone.errors << undone.json;
  EXPECT_EQ(fence_of("green"), FenceState::open);
  EXPECT_EQ(shop_->scene().serves, "green");
  auto admin_again = admin(shop_->server("green"));  // the other session was ended
  run(admin_again, "ROLLBACK PREPARED 'forgotten'");

  // A worker that needs long for its table, and a time limit below that of the server's own cancelling.
  write(shop_->playbook(), replaced(read(shop_->playbook()), "lock_timeout: 2s", "lock_timeout: 500ms"));
  for (const char* setting : {"naptime = '1s'", "vacuum_threshold = 20", "vacuum_scale_factor = 0", "vacuum_cost_delay = '100ms'",
                              "vacuum_cost_limit = 1"})
    run(admin_again, std::string("ALTER SYSTEM SET autovacuum_") + setting);
  run(admin_again, "SELECT pg_reload_conf()");
  run(admin_again, "UPDATE public.customers SET credit = credit + 1");
  const auto patience = Deadline::after(std::chrono::seconds(30));
  while (ask("green", R"(SELECT count(*) FROM pg_locks l JOIN pg_stat_activity a USING (pid)
                         WHERE a.backend_type = 'autovacuum worker' AND l.relation = 'public.customers'::regclass AND l.granted)") == "0")
    ASSERT_FALSE(patience.has_passed()) << "no worker came";
  const auto forced = force("0");
  EXPECT_EQ(forced.exit_code, 0) << forced.json << forced.errors;
}

// Before the decision it is undone, behind it completed; each time by another process.
TEST_F(ForcedRollback, KilledAtEachRecordItIsUndoneOrCompleted) {
  for (const char* point : {"after:plan", "after:apply:leave_green", "after:apply:stop_reverse", "before:committed"}) {
    const auto killed = force("0", {{"VERDIGRIS_CRASH", point}});
    ASSERT_EQ(killed.exit_code, kKilled) << point << killed.errors;
    EXPECT_EQ(shop_->command({"rollback", "--confirm", "shop"}).exit_code, 3) << point;
    const auto recovered = shop_->command({"recover", "--yes"});
    ASSERT_EQ(recovered.exit_code, 0) << point << recovered.errors;
    const auto scene = shop_->scene();
    EXPECT_TRUE(scene.is_green_open) << point << scene.text;
    EXPECT_TRUE(scene.is_blue_closed) << point << scene.text;
    EXPECT_FALSE(scene.is_paused) << point;
    EXPECT_EQ(scene.serves, "green") << point;
    EXPECT_EQ(shop_->difference_after_marker("green", "blue"), "") << point;
  }
  const auto killed = force("0", {{"VERDIGRIS_CRASH", "after:committed"}});
  ASSERT_EQ(killed.exit_code, kKilled) << killed.errors;
  shop_->server("green").stop_immediate();
  const auto recovered = shop_->command({"recover", "--yes"});
  ASSERT_EQ(recovered.exit_code, 0) << recovered.errors;
  EXPECT_EQ(recovered.json.value("serves", "?"), "blue") << recovered.json;
  EXPECT_EQ(fence_of("blue"), FenceState::open);
  shop_->server("green").start();
  EXPECT_EQ(fence_of("green"), FenceState::closed);
  EXPECT_EQ(shop_->scene().routed_to, "blue");
  EXPECT_EQ(shop_->command({"recover", "--yes"}).exit_code, 0) << "a second one changes nothing";
}

}  // namespace
}  // namespace verdigris::test
