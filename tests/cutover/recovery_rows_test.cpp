// Rows of recovery that need a server which is not the one it was: restored from a backup taken before the switch (a
// real one: system, timeline and token are the same), restarted, another one, or with a slot that somebody advanced
// (faults F24, M16, M32). Nothing wrong is opened, and the operator is told what to do. One shop; the cases build on each
// other.
#include <csignal>

#include "replication/access.hpp"
#include "replication/fence.hpp"
#include "tests/support/shared_shop.hpp"

namespace verdigris::test {
namespace {

namespace fs = std::filesystem;

class RecoveryRows : public SharedShop {
 protected:
  // Cold copies of both servers, of one moment: blue serves and is open.
  static void SetUpTestSuite() {
    SharedShop::SetUpTestSuite();
    if (!shop_) return;
    for (const char* color : {"blue", "green"}) shop_->server(color).stop_fast();
    for (const char* color : {"blue", "green"}) {
      const auto& server = shop_->server(color);
      const auto copied = run_tool({{"/bin/cp", "-a", server.data().string(), backup(color).string()}, {}, {}}, soon());
      if (copied.exit_code != 0) throw Error("test", "cp: " + copied.errors);
    }
    for (const char* color : {"blue", "green"}) shop_->server(color).start();
    // From here on the servers' logs leave those of their copies behind.
    for (const char* color : {"blue", "green"}) {
      auto session = admin(shop_->server(color));
      run(session, "SELECT pg_logical_emit_message(true, 'test', repeat('x', 4000000))");
    }
  }
  static fs::path backup(const std::string& color) { return shop_->server(color).dir() / "backup"; }
  static fs::path aside(const std::string& color) { return shop_->server(color).dir() / "aside"; }

  // The backup runs in place of the server, and the other way round.
  void restore_backup(const std::string& color) { exchange(color, backup(color), aside(color)); }
  void bring_back(const std::string& color) { exchange(color, aside(color), backup(color)); }

  void crash(const std::string& command, const std::string& point) {
    const auto answer = shop_->cross(command, {{"VERDIGRIS_CRASH", point}});
    ASSERT_EQ(answer.exit_code, kKilled) << answer.errors;
  }
  void lead_back_to_blue() {
    if (shop_->serving() != "green") return;
    const auto answer = shop_->cross("rollback");
    ASSERT_EQ(answer.exit_code, 0) << answer.errors;
  }

  // Exit code 6 with this id, these words and this hint.
  void expect_told(const Answer& answer, const std::string& id, const std::vector<std::string>& words,
                   const std::string& hint) {
    EXPECT_EQ(answer.exit_code, 6) << answer.json << answer.errors;
    ASSERT_TRUE(answer.json.contains("error")) << answer.json << answer.errors;
    const auto& error = answer.json.at("error");
    EXPECT_EQ(error.value("id", ""), id) << error;
    const auto message = error.value("message", "");
    for (const auto& word : words) EXPECT_NE(message.find(word), std::string::npos) << word << " in " << error;
    EXPECT_NE(error.value("hint", "").find(hint), std::string::npos) << hint << " in " << error;
  }
  // What clients could do there: nothing.
  void expect_closed(const std::string& color) {
    auto session = admin(shop_->server(color));
    EXPECT_NE(fence_state(session, soon()), FenceState::open) << color;
    EXPECT_TRUE(is_access_closed(session, "shop", soon())) << color;
  }
  FenceState fence_of(const std::string& color) {
    auto session = admin(shop_->server(color));
    return fence_state(session, soon());
  }
  bool is_paused() {
    return PgBouncerConsole::open("test", shop_->pooler().admin(), soon()).database("shop", soon()).is_paused;
  }
  void expect_recovered_to(const std::string& color) {
    const auto answer = shop_->command({"recover", "--yes"});
    EXPECT_EQ(answer.exit_code, 0) << answer.json << answer.errors;
    const auto scene = shop_->scene();
    EXPECT_EQ(scene.serves, color) << scene.text;
    EXPECT_EQ(scene.routed_to, color) << scene.text;
    EXPECT_EQ(scene.is_blue_open, color == "blue") << scene.text;
    EXPECT_EQ(scene.is_green_open, color == "green") << scene.text;
    EXPECT_FALSE(scene.is_paused);
  }

 private:
  void exchange(const std::string& color, const fs::path& in, const fs::path& out) {
    auto& server = shop_->server(color);
    if (server.is_running()) server.stop_fast();
    fs::rename(server.data(), out);
    fs::rename(in, server.data());
    server.start();
  }
};

// It lost what was proven of it, and clients would go on without that.
TEST_F(RecoveryRows, ATargetRestoredFromABackupIsNotOpened) {
  ASSERT_NO_FATAL_FAILURE(crash("switch", "after:begin:open_target"));
  restore_backup("green");
  for (int times = 1; times <= 2; ++times) {
    expect_told(shop_->command({"recover", "--yes"}), "target.behind-line", {"green", "before L = "},
                "both sides stay closed");
    expect_closed("green");
    expect_closed("blue");
  }
  EXPECT_TRUE(is_paused()) << "clients would meet a server that turns them away";
  bring_back("green");
  expect_recovered_to("green");
}

// Another server answers between the proof and the opening.
TEST_F(RecoveryRows, ATargetThatIsAnotherIsNotOpenedByTheControllerThatProvedIt) {
  ASSERT_NO_FATAL_FAILURE(lead_back_to_blue());
  const Environment stop{{"VERDIGRIS_STOP", "after:begin:open_target"}};
  auto crossing = ChildProcess::start({.argv = shop_->program({"switch", "--confirm", "shop"}),
                                       .environment = shop_->with_points(stop),
                                       .output = shop_->dir() / "changed.out",
                                       .errors = shop_->dir() / "changed.err"});
  ASSERT_TRUE(shop_->comes_to_point("after:begin:open_target", crossing)) << read(shop_->dir() / "changed.err");
  auto green = admin(shop_->server("green"));
  const auto token = value(green, "SELECT token FROM verdigris.identity");
  run(green, "UPDATE verdigris.identity SET token = 'another'");
  crossing.send(SIGCONT);
  ASSERT_TRUE(crossing.wait_end(soon()));
  const auto said = nlohmann::json::parse(read(shop_->dir() / "changed.out"), nullptr, false);
  expect_told(Answer{crossing.exit_code().value_or(-1), said, read(shop_->dir() / "changed.err")}, "target.changed",
              {"green", "not the server that was proven"}, "find out which server holds the data");
  expect_closed("green");
  expect_closed("blue");
  expect_told(shop_->command({"recover", "--yes"}), "identity.changed", {"green"},
              "find out which server holds the data");
  expect_closed("green");
  expect_closed("blue");
  run(green, "UPDATE verdigris.identity SET token = '" + token + "'");
  expect_recovered_to("green");
}

// Without the target nobody knows whether a source that was started again lacks what it had acknowledged.
TEST_F(RecoveryRows, ASourceThatWasRestartedIsOpenedWithoutTheTargetByTheOperatorsWordOnly) {
  for (const bool is_restarted : {false, true}) {
    SCOPED_TRACE(is_restarted ? "restarted" : "not restarted");
    ASSERT_NO_FATAL_FAILURE(lead_back_to_blue());
    ASSERT_NO_FATAL_FAILURE(crash("switch", "after:begin:drain_to_marker"));
    shop_->server("green").stop_immediate();
    if (is_restarted) {
      shop_->server("blue").stop_fast();
      shop_->server("blue").start();
      for (int times = 1; times <= 2; ++times) {
        expect_told(shop_->command({"recover", "--yes"}), "source.restarted",
                    {"blue", "was restarted", "green does not answer"}, "verdigris recover --source-not-restored");
        expect_closed("blue");
      }
      EXPECT_TRUE(is_paused());
    }
    auto words = std::vector<std::string>{"recover", "--yes"};
    if (is_restarted) words.emplace_back("--source-not-restored");
    const auto answer = shop_->command(words);
    EXPECT_EQ(answer.exit_code, 0) << answer.json << answer.errors;
    EXPECT_EQ(fence_of("blue"), FenceState::open);
    EXPECT_FALSE(is_paused());
    shop_->server("green").start();
    expect_recovered_to("blue");
  }
}

// The decision was acknowledged there, and it is gone: `undone` on it would open a second side.
TEST_F(RecoveryRows, ASourceThatLacksTheDecisionIsClosedAndNothingIsUndone) {
  ASSERT_NO_FATAL_FAILURE(crash("switch", "after:begin:open_target"));
  restore_backup("blue");
  ASSERT_EQ(fence_of("blue"), FenceState::open) << "as it was when the backup was taken";
  const auto dry = shop_->command({"recover", "--dry-run"});
  EXPECT_EQ(dry.exit_code, 6) << dry.errors;
  EXPECT_EQ(fence_of("blue"), FenceState::open);
  for (int times = 1; times <= 2; ++times) {
    expect_told(shop_->command({"recover", "--yes"}), "source.lost-history",
                {"blue", "lacks the decision that green has"}, "verdigris recover --without blue");
    EXPECT_EQ(fence_of("blue"), FenceState::closed);
    expect_closed("green");
    auto blue = admin(shop_->server("blue"));
    EXPECT_EQ(value(blue, "SELECT count(*) FROM verdigris.journal WHERE event = 'undone'"), "0");
  }
  EXPECT_TRUE(is_paused());
  bring_back("blue");
  expect_recovered_to("green");
}

// The last one: it leaves no way back. What was committed between L and that position would never reach blue.
TEST_F(RecoveryRows, AReverseSlotThatSomebodyAdvancedIsNotReadFrom) {
  ASSERT_NO_FATAL_FAILURE(lead_back_to_blue());
  ASSERT_NO_FATAL_FAILURE(crash("switch", "before:begin:start_reverse"));
  auto green = admin(shop_->server("green"));
  run(green, "INSERT INTO public.ledger_a VALUES (99, 1, 0)");
  run(green, "SELECT pg_replication_slot_advance('verdigris_shop_rev', pg_current_wal_insert_lsn())");
  const auto answer = shop_->command({"recover", "--yes"});
  EXPECT_EQ(answer.exit_code, 6) << answer.json << answer.errors;
  const auto way_back = answer.json.value("way_back", "");
  EXPECT_EQ(way_back.find("no: green: slot verdigris_shop_rev was advanced to "), 0U) << answer.json;
  EXPECT_NE(way_back.find("would never reach blue"), std::string::npos) << way_back;
  auto blue = admin(shop_->server("blue"));
  EXPECT_EQ(value(blue, "SELECT subenabled FROM pg_subscription WHERE subname = 'verdigris_shop_rev'"), "f");
  const auto scene = shop_->scene();
  EXPECT_TRUE(scene.is_green_open) << scene.text;
  EXPECT_TRUE(scene.is_blue_closed) << scene.text;
  EXPECT_EQ(scene.routed_to, "green");
  const auto rollback = shop_->command({"rollback", "--confirm", "shop"});
  EXPECT_EQ(rollback.exit_code, 3) << rollback.json << rollback.errors;
  expect_closed("blue");
}

}  // namespace
}  // namespace verdigris::test
