// What is wrong with a pooler is told by the command itself with exit code 3, and nothing is touched: not even a pause
// that somebody else made.
#include "tests/support/pgbouncer_driver.hpp"
#include "tests/support/shared_shop.hpp"

namespace verdigris::test {
namespace {

class RefusedPooler : public SharedShop {
 protected:
  // Exit code 3 with the id; then the plan is closed and blue serves.
  void expect_refused(const std::string& id) {
    const auto answer = shop_->command({"switch", "--confirm", "shop"});
    EXPECT_EQ(answer.exit_code, 3) << answer.json << answer.errors;
    EXPECT_EQ(answer.json.value("reason_id", "?"), id) << answer.json << answer.errors;
    EXPECT_NE(answer.json.value("hint", ""), "");
    const auto status = shop_->command({"status"});
    EXPECT_EQ(status.json.value("serves", "?"), "blue") << status.json;
    EXPECT_EQ(status.json.value("activity", "?"), "none") << status.json;
  }
};

TEST_F(RefusedPooler, OneThatIsDown) {
  shop_->pooler().stop();
  expect_refused("pooler.unreachable");
  shop_->pooler().start();
}

TEST_F(RefusedPooler, OneThatSomebodyElsePausedStaysPaused) {
  auto console = PgBouncerConsole::open("shop", shop_->pooler().admin(), soon());
  console.send_pause("shop", soon());
  console.receive_tag(soon());
  expect_refused("pooler.paused");
  EXPECT_TRUE(shop_->scene().is_paused) << "whoever paused it counts on it";
  console.resume("shop", soon());
}

TEST_F(RefusedPooler, OneWhoseFileIsNotThere) {
  const auto playbook = shop_->playbook();
  const auto whole = read(playbook);
  const auto file = shop_->pooler().ini().string();
  write(playbook, replaced(whole, file, file + ".gone"));
  const auto answer = shop_->command({"switch", "--confirm", "shop"});
  EXPECT_EQ(answer.exit_code, 3) << answer.json << answer.errors;
  write(playbook, whole);
  EXPECT_EQ(shop_->command({"status"}).json.value("activity", "?"), "none");
}

}  // namespace
}  // namespace verdigris::test
