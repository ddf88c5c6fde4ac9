// The commands that only look: what they say of a crossing that was interrupted, of the poolers and their files, of what
// stands in the way of the next one; and that they change nothing.
#include <fstream>

#include "tests/support/pgbouncer_driver.hpp"
#include "tests/support/shared_shop.hpp"

namespace verdigris::test {
namespace {

class Looks : public SharedShop {
 protected:
  static void kill_at(const std::string& command, const std::string& point) {
    const auto answer = shop_->cross(command, {{"VERDIGRIS_CRASH", point}});
    ASSERT_EQ(answer.exit_code, kKilled) << answer.errors;
  }
  static void recover() {
    const auto answer = shop_->command({"recover", "--yes"});
    ASSERT_EQ(answer.exit_code, 0) << answer.errors;
  }
  static const nlohmann::json* step_of(const nlohmann::json& plan, const std::string& name) {
    for (const auto& step : plan.at("steps"))
      if (step.at("step") == name) return &step;
    return nullptr;
  }
  static bool mentions(const nlohmann::json& texts, const std::string& what) { return texts.dump().find(what) != std::string::npos; }
};

TEST_F(Looks, AtRestNothingIsInTheWay) {
  const auto status = shop_->command({"status"}).json;
  EXPECT_EQ(status.at("can_switch"), true) << status;
  EXPECT_TRUE(status.at("obstacles").empty()) << status;
  EXPECT_EQ(status.at("poolers").at(0).at("paused"), false) << status;
  const auto dry = shop_->command({"recover", "--dry-run"});
  EXPECT_EQ(dry.json.value("result", "?"), "nothing_to_do") << dry.json;
}

TEST_F(Looks, AtAnInterruptedSwitchAboveTheLine) {
  kill_at("switch", "after:begin:prove_parity");
  if (HasFatalFailure()) return;
  const auto before = shop_->scene();
  const auto status = shop_->command({"status"}).json;
  EXPECT_EQ(status.at("poolers").at(0).at("paused"), true) << status;
  EXPECT_EQ(status.at("can_switch"), false);
  EXPECT_TRUE(mentions(status.at("obstacles"), "interrupted")) << status;
  const auto check = shop_->command({"check"});
  EXPECT_EQ(check.exit_code, 3) << check.json;
  EXPECT_TRUE(mentions(check.json, "pooler.paused")) << check.json;
  EXPECT_EQ(shop_->command({"plan"}).json.value("command", "?"), "recover");

  const auto dry = shop_->command({"recover", "--dry-run"});
  EXPECT_EQ(dry.exit_code, 0) << dry.errors;
  EXPECT_EQ(dry.json.value("result", "?"), "planned") << dry.json;
  EXPECT_EQ(dry.json.value("verdict", "?"), "undo") << dry.json;
  const auto* pause = step_of(dry.json, "pause_traffic");
  ASSERT_NE(pause, nullptr) << dry.json;
  EXPECT_EQ(pause->at("state"), "to be put back") << dry.json;
  EXPECT_EQ(step_of(dry.json, "open_target"), nullptr) << dry.json;
  EXPECT_EQ(shop_->scene().text, before.text) << "a look changed something";
  recover();
}

TEST_F(Looks, AtAnInterruptedSwitchBehindTheLine) {
  kill_at("switch", "after:begin:open_target");
  if (HasFatalFailure()) return;
  const auto before = shop_->scene();
  const auto dry = shop_->command({"recover", "--dry-run"});
  EXPECT_EQ(dry.exit_code, 0) << dry.errors;
  EXPECT_EQ(dry.json.value("verdict", "?"), "forward") << dry.json;
  EXPECT_EQ(dry.json.at("steps").at(0).at("step"), "open_target") << dry.json;
  EXPECT_EQ(dry.json.at("steps").at(0).at("state"), "to do") << dry.json;
  EXPECT_EQ(shop_->scene().text, before.text) << "a look changed something";
  recover();
  const auto status = shop_->command({"status"}).json;
  EXPECT_EQ(status.at("can_switch"), false);
  EXPECT_EQ(status.at("can_roll_back"), true) << status;
  const auto back = shop_->cross("rollback");
  ASSERT_EQ(back.exit_code, 0) << back.errors;
}

// The process runs on with what it had read; only a look into the file finds it.
TEST_F(Looks, AtABrokenFileOfThePooler) {
  const auto ini = shop_->pooler().ini();
  const auto whole = read(ini);
  std::ofstream(ini, std::ios::app) << "\n[pgbouncer]\nno_such_setting = 1\n";
  const auto check = shop_->command({"check"});
  EXPECT_EQ(check.exit_code, 3) << check.json;
  EXPECT_TRUE(mentions(check.json, "pooler.unknown-setting")) << check.json;
  const auto dry = shop_->command({"switch", "--dry-run"});
  EXPECT_EQ(dry.exit_code, 3) << dry.json;
  const auto* stage = step_of(dry.json, "stage_traffic");
  ASSERT_NE(stage, nullptr) << dry.json;
  EXPECT_NE(stage->value("state", "").find("no_such_setting"), std::string::npos) << dry.json;
  const auto plan = shop_->command({"plan"}).json;
  EXPECT_TRUE(mentions(plan, "no_such_setting")) << plan;
  const auto status = shop_->command({"status"}).json;
  EXPECT_EQ(status.at("can_switch"), false) << status;
  EXPECT_TRUE(mentions(status.at("obstacles"), "no_such_setting")) << status;
  write(ini, whole);
  EXPECT_EQ(shop_->command({"status"}).json.at("can_switch"), true);
}

// What would end a switch in its last look is in the way already now.
TEST_F(Looks, StatusAsksWhatASwitchWouldAsk) {
  auto blue = admin(shop_->server("blue"));
  run(blue, "CREATE TABLE public.born_late (id int PRIMARY KEY)");
  const auto status = shop_->command({"status"}).json;
  EXPECT_EQ(status.at("can_switch"), false) << status;
  EXPECT_TRUE(mentions(status.at("obstacles"), "public.born_late")) << status;
  run(blue, "DROP TABLE public.born_late");
}

TEST_F(Looks, PlanOfAnInterruptedFinishIsThatOfFinish) {
  const auto crossed = shop_->cross("switch");
  ASSERT_EQ(crossed.exit_code, 0) << crossed.errors;
  const auto killed = shop_->command({"finish", "--now", "--confirm", "shop"}, {{"VERDIGRIS_CRASH", "after:begin:drop_stream"}});
  ASSERT_EQ(killed.exit_code, kKilled) << killed.errors;
  const auto plan = shop_->command({"plan"}).json;
  EXPECT_EQ(plan.value("command", "?"), "finish") << plan;
  EXPECT_EQ(plan.value("interrupted", false), true) << plan;
  EXPECT_EQ(plan.at("steps").at(0).at("step"), "drop_stream") << plan;
  EXPECT_NE(step_of(plan, "open_for_good"), nullptr) << plan;
  const auto finished = shop_->command({"finish", "--now", "--confirm", "shop"});
  EXPECT_EQ(finished.exit_code, 0) << finished.errors;
}

}  // namespace
}  // namespace verdigris::test
