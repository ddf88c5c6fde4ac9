// A server is lost for good: by the operator's word (--without) the other side ends alone what was begun with both, and
// what is left on the lost one is said. A server that answers is not lost.
#include "replication/fence.hpp"
#include "tests/support/shop.hpp"

namespace verdigris::test {
namespace {

class LostServer : public testing::Test {
 protected:
  void SetUp() override {
    NEED_POSTGRES(15);
    NEED_POSTGRES(17);
    shop_.emplace();
  }

  // Publications, slots, subscriptions, fence triggers and the schema: what is ours on a side.
  std::string ours_on(const std::string& color) {
    auto session = admin(shop_->server(color));
    return value(session, R"(
      SELECT (SELECT count(*) FROM pg_publication) || ' publications, ' || (SELECT count(*) FROM pg_replication_slots) ||
             ' slots, ' || (SELECT count(*) FROM pg_subscription) || ' subscriptions, ' ||
             (SELECT count(*) FROM pg_trigger WHERE tgname = 'verdigris_fence') || ' triggers')");
  }
  FenceState fence_of(const std::string& color) {
    auto session = admin(shop_->server(color));
    return fence_state(session, soon());
  }

  std::optional<Shop> shop_;
};

constexpr const char* kNothing = "0 publications, 0 slots, 0 subscriptions, 0 triggers";

TEST_F(LostServer, GreenInReadyCanBeAbandonedWithoutIt) {
  const auto before = shop_->scene().text;
  const auto answers = shop_->command({"abandon", "--without", "green", "--confirm", "shop"});
  EXPECT_EQ(answers.exit_code, 3) << answers.errors;
  EXPECT_NE(answers.errors.find("so it is not lost"), std::string::npos) << answers.errors;
  EXPECT_EQ(shop_->scene().text, before);

  shop_->server("green").stop_immediate();
  const auto plain = shop_->command({"abandon", "--confirm", "shop"});
  EXPECT_EQ(plain.exit_code, 1) << plain.errors;
  EXPECT_NE(plain.errors.find("verdigris abandon --without green"), std::string::npos) << plain.errors;

  const auto answer = shop_->command({"abandon", "--without", "green", "--confirm", "shop"});
  ASSERT_EQ(answer.exit_code, 0) << answer.errors;
  EXPECT_NE(answer.json.value("left", "").find("subscription verdigris_shop_fwd"), std::string::npos) << answer.json;
  EXPECT_EQ(ours_on("blue"), kNothing);
  auto blue = admin(shop_->server("blue"));
  EXPECT_EQ(value(blue, "SELECT to_regnamespace('verdigris') IS NULL"), "t");
  EXPECT_EQ(shop_->command({"abandon", "--without", "green", "--confirm", "shop"}).json.value("result", "?"), "nothing_to_do");
}

TEST_F(LostServer, BlueBehindTheLineEndsTheSwitchAndTheWayBack) {
  const auto killed = shop_->cross("switch", {{"VERDIGRIS_CRASH", "after:begin:open_target"}});
  ASSERT_EQ(killed.exit_code, kKilled) << killed.errors;
  shop_->server("blue").stop_immediate();

  const auto recovered = shop_->command({"recover", "--without", "blue", "--yes"});
  ASSERT_EQ(recovered.exit_code, 0) << recovered.errors;
  EXPECT_EQ(recovered.json.value("phase", "?"), "switched") << recovered.json;
  EXPECT_EQ(recovered.json.value("way_back", "?").find("no: blue was given up"), 0U) << recovered.json;
  EXPECT_EQ(fence_of("green"), FenceState::open);
  const auto status = shop_->command({"status"});
  EXPECT_EQ(status.json.value("activity", "?"), "none") << status.json;
  EXPECT_NE(status.json.value("way_back", "?").find("no: "), std::string::npos) << status.json;

  const auto plain = shop_->command({"finish", "--now", "--confirm", "shop"});
  EXPECT_EQ(plain.exit_code, 1) << plain.errors;
  EXPECT_NE(plain.errors.find("verdigris finish --without blue"), std::string::npos) << plain.errors;
  const auto finished = shop_->command({"finish", "--without", "blue", "--confirm", "shop"});
  ASSERT_EQ(finished.exit_code, 0) << finished.errors;
  EXPECT_EQ(finished.json.value("blue", "?"), "lost") << finished.json;
  EXPECT_EQ(ours_on("green"), kNothing);

  // It comes back all the same: closed, as the switch left it, and finish removes what is left.
  shop_->server("blue").start();
  EXPECT_EQ(fence_of("blue"), FenceState::closed);
  const auto again = shop_->command({"finish", "--confirm", "shop"});
  EXPECT_EQ(again.exit_code, 0) << again.errors;
  EXPECT_EQ(fence_of("blue"), FenceState::closed);
  auto blue = admin(shop_->server("blue"));
  EXPECT_EQ(value(blue, "SELECT count(*) FROM pg_subscription"), "0");
  EXPECT_EQ(shop_->command({"finish", "--confirm", "shop"}).json.value("result", "?"), "nothing_to_do");
}

// What was not decided cannot be ended without the side that decides.
TEST_F(LostServer, BlueBeforeTheLineIsNeeded) {
  const auto killed = shop_->cross("switch", {{"VERDIGRIS_CRASH", "after:begin:prove_parity"}});
  ASSERT_EQ(killed.exit_code, kKilled) << killed.errors;
  shop_->server("blue").stop_immediate();
  const auto refused = shop_->command({"recover", "--without", "blue", "--yes"});
  EXPECT_EQ(refused.exit_code, 3) << refused.errors;
  EXPECT_NE(refused.errors.find("nothing was decided"), std::string::npos) << refused.errors;
  EXPECT_NE(fence_of("green"), FenceState::open);
  shop_->server("blue").start();
  const auto recovered = shop_->command({"recover", "--yes"});
  EXPECT_EQ(recovered.exit_code, 0) << recovered.errors;
  EXPECT_TRUE(shop_->scene().is_blue_open);
}

}  // namespace
}  // namespace verdigris::test
