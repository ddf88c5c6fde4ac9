// A controller that dies between telling a pooler to let its clients go and putting back what it had set for that: recover
// puts it back, on the way forward and on the way back.
#include "tests/support/pgbouncer_driver.hpp"
#include "tests/support/shared_shop.hpp"

namespace verdigris::test {
namespace {

using namespace std::chrono_literals;

class SettingsOfPoolers : public SharedShopWithPlaybook {
 protected:
  std::string setting(const std::string& name) {
    return PgBouncerConsole::open("shop", shop_->pooler().admin(), soon()).config(soon())[name];
  }
  void expect_put_back_by_recover() {
    EXPECT_EQ(std::stod(setting("server_login_retry")), 0) << "it did not die there";
    const auto recovered = shop_->command({"recover", "--yes"});
    EXPECT_EQ(recovered.exit_code, 0) << recovered.json << recovered.errors;
    EXPECT_EQ(std::stod(setting("server_login_retry")), before_);
    EXPECT_EQ(std::stod(setting("server_idle_timeout")), 600);
    EXPECT_EQ(setting("default_pool_size"), "20");
    EXPECT_FALSE(shop_->scene().is_paused);
  }
  void SetUp() override {
    SharedShopWithPlaybook::SetUp();
    if (!IsSkipped()) before_ = std::stod(setting("server_login_retry"));
  }
  double before_ = 0;
};

TEST_F(SettingsOfPoolers, OnTheWayBack) {
  const auto text = replaced(original_, "max_pause: 10s", "max_pause: 1s");
  write(shop_->playbook(), replaced(text, "  databases: [shop]\n", "  databases: [shop]\n  pause: { timeout: 900ms }\n"));
  auto report = Connection::open_plain(shop_->pooler().client("app", "shop"), {"client", "report", false, {}}, soon());
  run(report, "BEGIN");
  run(report, "SELECT count(*) FROM public.customers");
  const auto killed = shop_->command({"switch", "--confirm", "shop"}, {{"VERDIGRIS_CRASH", "after:pooler-resume"}});
  ASSERT_EQ(killed.exit_code, kKilled) << killed.errors;
  expect_put_back_by_recover();
  EXPECT_EQ(shop_->serving(), "blue");
}

TEST_F(SettingsOfPoolers, OnTheWayForward) {
  const auto killed = shop_->cross("switch", {{"VERDIGRIS_CRASH", "after:pooler-resume"}});
  ASSERT_EQ(killed.exit_code, kKilled) << killed.errors;
  expect_put_back_by_recover();
  EXPECT_EQ(shop_->serving(), "green");
}

}  // namespace
}  // namespace verdigris::test
