// Each act of a crossing, in both directions, under load: the controller is stopped right behind it, a server or the pooler
// is killed and started again, and the controller goes on. However the crossing ends, exactly one side is open then (after
// `recover`, if it asks for a person), and no write is lost or doubled. One case alone:
//   VERDIGRIS_CASE="switch target after:apply:open_target" crash_enumeration_test
#include <csignal>
#include <cstdlib>
#include <iostream>

#include "replication/side.hpp"
#include "tests/support/pgbouncer_driver.hpp"
#include "tests/support/shop.hpp"

namespace verdigris::test {
namespace {

using namespace std::chrono_literals;

constexpr const char* kActs[] = {"stand_ready",   "pause_traffic",     "fence_source", "drain_to_marker", "copy_sequences",
                                 "prove_parity",  "confirm_pause",     "fix_reverse_start", "open_target", "move_traffic",
                                 "stop_forward",  "start_reverse",     "drop_stream"};

class CrashEnumeration : public testing::TestWithParam<std::string> {
 protected:
  void SetUp() override {
    NEED_POSTGRES(15);
    NEED_POSTGRES(17);
    shop_ = std::make_unique<Shop>();
    shop_->start_load();
  }

  // What crashes and comes back within a second or so.
  void crash(const std::string& command) {
    if (GetParam() == "pooler") {
      shop_->pooler().kill_hard();
      shop_->pooler().start();
      return;
    }
    const bool is_blue = (GetParam() == "source") == (command == "switch");
    auto& server = shop_->server(is_blue ? "blue" : "green");
    server.stop_immediate();
    server.start();
  }

  // False if the crossing ended before it came to the point: a direct client was in its way.
  bool crash_behind(const std::string& command, const std::string& point) {
    auto crossing = ChildProcess::start({.argv = shop_->program({command, "--confirm", "shop"}),
                                         .environment = shop_->with_points({{"VERDIGRIS_STOP", point}}),
                                         .output = shop_->dir() / "crossing.out",
                                         .errors = shop_->dir() / "crossing.err"});
    const bool is_there = shop_->comes_to_point(point, crossing);
    if (is_there) {
      crash(command);
      crossing.send(SIGCONT);
    }
    EXPECT_TRUE(crossing.wait_end(Deadline::after(100s))) << read_errors();
    const int code = crossing.exit_code().value_or(-1);
    if (is_there) {
      EXPECT_TRUE(code == 0 || code == 5 || code == 6) << code << read_errors();
    }
    return is_there;
  }

  void expect_settled() {
    const auto answer = shop_->command({"recover", "--yes"});
    ASSERT_EQ(answer.exit_code, 0) << answer.errors << read_errors();
    const auto scene = shop_->scene();
    const bool is_blue = scene.serves == "blue";
    EXPECT_EQ(scene.is_blue_open, is_blue);
    EXPECT_EQ(scene.is_green_open, !is_blue);
    EXPECT_EQ(scene.is_blue_closed, !is_blue);
    EXPECT_EQ(scene.is_green_closed, is_blue);
    EXPECT_EQ(scene.routed_to, scene.serves);
    EXPECT_FALSE(scene.is_paused);
    EXPECT_EQ(scene.activity, "none");
  }

  void expect_whole() {
    shop_->stop_load();  // its clients saw servers crash: errors are theirs, loss is not
    const auto serving = shop_->serving();
    const auto other = other_side(serving);
    EXPECT_EQ(shop_->difference_after_marker(serving, other), "");
    for (const auto& color : {serving, other}) {
      const auto verdict = shop_->ledger(color);
      EXPECT_TRUE(verdict.is_clean()) << color << ": " << testing::PrintToString(verdict.examples);
      EXPECT_GT(verdict.acknowledged, 0);
    }
  }

  void run_case(const std::string& command, const std::string& act) {
    const std::string point = "after:apply:" + act;
    const std::string name = command + " " + GetParam() + " " + point;
    const char* chosen = std::getenv("VERDIGRIS_CASE");
    if (chosen != nullptr && name != chosen) return;
    SCOPED_TRACE("repeat: VERDIGRIS_CASE=\"" + name + "\" crash_enumeration_test");
    std::cout << name << std::endl;  // what ran when a time limit ended it
    bring_to(command == "switch" ? "blue" : "green");
    bool was_there = false;
    for (int tries = 0; tries < 4 && !was_there && !HasFailure(); ++tries) was_there = crash_behind(command, point);
    EXPECT_TRUE(was_there) << "never came to " << point << read_errors();
    if (!HasFailure()) expect_settled();
  }

  void bring_to(const std::string& color) {
    if (shop_->serving() == color) return;
    const auto answer = shop_->cross(color == "green" ? "switch" : "rollback");
    ASSERT_EQ(answer.exit_code, 0) << answer.errors;
  }

  std::string read_errors() const { return read(shop_->dir() / "crossing.err"); }

  std::unique_ptr<Shop> shop_;
};

// Two of the three kinds meet each act, in one direction each; with VERDIGRIS_THOROUGH all do, in both.
TEST_P(CrashEnumeration, EndsWithOneSideOpenAndNothingLost) {
  const bool is_thorough = std::getenv("VERDIGRIS_THOROUGH") != nullptr || std::getenv("VERDIGRIS_CASE") != nullptr;
  const int kind = GetParam() == "source" ? 0 : GetParam() == "target" ? 1 : 2;
  int n = 0;
  for (const char* act : kActs) {
    for (const char* command : {"switch", "rollback"}) {
      const bool is_dealt = n % 3 != kind && ((n + kind) % 2 == 0) == (std::string(command) == "switch");
      if (!is_thorough && !is_dealt) continue;
      run_case(command, act);
      if (HasFailure()) return;
    }
    ++n;
  }
  expect_whole();
}

INSTANTIATE_TEST_SUITE_P(Killed, CrashEnumeration, testing::Values("source", "target", "pooler"),
                         [](const auto& kind) { return kind.param; });

}  // namespace
}  // namespace verdigris::test
