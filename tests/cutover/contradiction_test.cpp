// The journals of both sides contradict each other: `recover` acts on nothing they say, but leaves no second side open.
#include "replication/access.hpp"
#include "replication/fence.hpp"
#include "tests/support/shop.hpp"

namespace verdigris::test {
namespace {

class Contradiction : public testing::Test {
 protected:
  void SetUp() override {
    NEED_POSTGRES(15);
    NEED_POSTGRES(17);
    shop_.emplace();
  }

  void open(const std::string& color) {
    auto session = admin(shop_->server(color));
    Transaction transaction(session, soon());
    set_fence(transaction, FenceState::open);
    open_access(transaction, "shop");
    transaction.commit();
  }
  FenceState fence_of(const std::string& color) {
    auto session = admin(shop_->server(color));
    return fence_state(session, soon());
  }

  std::optional<Shop> shop_;
};

TEST_F(Contradiction, OfUndoneAndCommittedClosesBothSides) {
  const auto crossed = shop_->cross("switch");
  ASSERT_EQ(crossed.exit_code, 0) << crossed.errors;
  auto blue = admin(shop_->server("blue"));
  run(blue, "UPDATE verdigris.journal SET event = 'undone' WHERE event = 'committed'");
  blue.close();
  open("blue");
  ASSERT_EQ(fence_of("green"), FenceState::open);
  const auto dry = shop_->command({"recover", "--dry-run"});
  EXPECT_EQ(dry.exit_code, 6) << dry.errors;
  EXPECT_EQ(fence_of("blue"), FenceState::open);
  for (int times = 1; times <= 2; ++times) {
    const auto answer = shop_->command({"recover", "--yes"});
    EXPECT_EQ(answer.exit_code, 6) << answer.errors;
    EXPECT_NE(answer.errors.find("\"undone\""), std::string::npos) << answer.errors;
    EXPECT_NE(answer.errors.find("\"committed\""), std::string::npos) << answer.errors;
    EXPECT_EQ(fence_of("blue"), FenceState::closed);
    EXPECT_EQ(fence_of("green"), FenceState::closed);
  }
}

// One record was altered, but both say that blue serves: no outage for that.
TEST_F(Contradiction, LeavesTheSideOpenThatBothNameAndClosesTheOther) {
  auto green = admin(shop_->server("green"));
  run(green, "UPDATE verdigris.journal SET controller = 'elsewhere' WHERE seq = 2");
  green.close();
  open("green");
  const auto answer = shop_->command({"recover", "--yes"});
  EXPECT_EQ(answer.exit_code, 6) << answer.errors;
  EXPECT_EQ(fence_of("blue"), FenceState::open);
  EXPECT_EQ(fence_of("green"), FenceState::closed);
}

}  // namespace
}  // namespace verdigris::test
