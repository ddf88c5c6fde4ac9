// The journals of both sides contradict each other: `recover` acts on nothing they say, but leaves no second side open.
#include "replication/access.hpp"
#include "replication/fence.hpp"
#include "tests/support/pgbouncer_driver.hpp"
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

// The address of green leads to another shop's green, which serves there: nobody of this deployment meant it, and by what
// it says nothing of ours is closed either.
TEST_F(Contradiction, LeavesAnotherServerBehindTheAddressAlone) {
  Shop other;
  ASSERT_EQ(other.cross("switch").exit_code, 0);
  auto elsewhere = admin(other.server("green"));
  ASSERT_EQ(fence_state(elsewhere, soon()), FenceState::open);
  const auto playbook = read(shop_->playbook());
  write(shop_->playbook(), replaced(playbook, "green: { conninfo: \"host=" + shop_->server("green").dir().string(),
                                    "green: { conninfo: \"host=" + other.server("green").dir().string()));
  const auto answer = shop_->command({"recover", "--yes"});
  write(shop_->playbook(), playbook);
  EXPECT_EQ(answer.exit_code, 6) << answer.errors;
  EXPECT_NE(answer.errors.find("another server answers there"), std::string::npos) << answer.errors;
  EXPECT_NE(answer.errors.find("clusters.green"), std::string::npos) << answer.errors;
  EXPECT_EQ(fence_state(elsewhere, soon()), FenceState::open) << "its clients have no server now";
  EXPECT_EQ(fence_of("blue"), FenceState::open);
  EXPECT_EQ(other.command({"status"}).json.value("serves", "?"), "green");
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
