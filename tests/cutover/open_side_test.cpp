// No plan is open, and yet the side that does not serve takes writes: a standby was promoted behind its address, or a
// backup restored. `status` says so, `recover` closes it, and again changes nothing.
#include "replication/access.hpp"
#include "replication/fence.hpp"
#include "tests/support/shared_shop.hpp"

namespace verdigris::test {
namespace {

class OpenSide : public SharedShop {
 protected:
  // As a backup from a time when it was open has it.
  static void open(const std::string& color) {
    auto session = admin(shop_->server(color));
    Transaction transaction(session, soon());
    set_fence(transaction, FenceState::open);
    open_access(transaction, "shop");
    transaction.commit();
  }
  static FenceState fence_of(const std::string& color) {
    auto session = admin(shop_->server(color));
    return fence_state(session, soon());
  }
  static std::string give_token(const std::string& color, const std::string& token) {
    auto session = admin(shop_->server(color));
    const auto before = value(session, "SELECT token FROM verdigris.identity");
    run(session, "UPDATE verdigris.identity SET token = '" + token + "'");
    return before;
  }
  static void expect_closed_by_recover(const std::string& color, int exit_code) {
    const auto status = shop_->command({"status"});
    EXPECT_EQ(status.json.value("also_open", "none"), color) << status.json;
    EXPECT_NE(status.errors.find("HINT:  Run verdigris recover"), std::string::npos) << status.errors;
    const auto dry = shop_->command({"recover", "--dry-run"});
    EXPECT_EQ(dry.exit_code, exit_code) << dry.errors;
    EXPECT_NE(dry.errors.find(color + " is open and would be closed"), std::string::npos) << dry.errors;
    EXPECT_EQ(fence_of(color), FenceState::open) << "a dry run closed it";
    const auto answer = shop_->command({"recover", "--yes"});
    EXPECT_EQ(answer.exit_code, exit_code) << answer.errors;
    EXPECT_EQ(fence_of(color), FenceState::closed);
    EXPECT_EQ(shop_->command({"status"}).json.at("also_open"), nullptr);
    const auto text = shop_->scene().text;
    EXPECT_EQ(shop_->command({"recover", "--yes"}).exit_code, exit_code);
    EXPECT_EQ(shop_->scene().text, text) << "a second recover changed something";
  }
};

TEST_F(OpenSide, OfTheFollowerIsClosedBeforeASwitchAndAfterIt) {
  open("green");
  expect_closed_by_recover("green", 0);
  const auto crossed = shop_->cross("switch");
  ASSERT_EQ(crossed.exit_code, 0) << crossed.errors;
  open("blue");
  expect_closed_by_recover("blue", 0);
  const auto back = shop_->cross("rollback");
  ASSERT_EQ(back.exit_code, 0) << back.errors;
}

TEST_F(OpenSide, OfAnotherServerIsClosedAndLeftToAPerson) {
  const auto token = give_token("green", "another");
  open("green");
  expect_closed_by_recover("green", 6);
  give_token("green", token);
}

// A server that never saw us: nothing of it is touched, and the operator is told.
TEST_F(OpenSide, WithoutAFenceIsTold) {
  auto green = admin(shop_->server("green"));
  run(green, "ALTER SCHEMA verdigris RENAME TO elsewhere");
  const auto answer = shop_->command({"recover", "--yes"});
  EXPECT_EQ(answer.exit_code, 6) << answer.errors;
  EXPECT_NE(answer.errors.find("has no fence of ours"), std::string::npos) << answer.errors;
  EXPECT_NE(answer.errors.find("another server answers"), std::string::npos) << answer.errors;
  EXPECT_EQ(shop_->command({"status"}).json.value("also_open", "none"), "green");
  run(green, "ALTER SCHEMA elsewhere RENAME TO verdigris");
}

}  // namespace
}  // namespace verdigris::test
