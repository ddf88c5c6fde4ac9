// Clients without any router (driver none): their connection strings name both servers and ask for one that takes writes
// (libpq: host=a,b target_session_attrs=read-write). They see errors for a moment and find the other side by themselves;
// no acknowledged write is lost or doubled.
#include <pthread.h>
#include <signal.h>

#include <thread>

#include "controller/sandbox/load.hpp"
#include "tests/support/other_traffic.hpp"
#include "tests/support/pgbouncer_driver.hpp"
#include "tests/support/shared_shop.hpp"

namespace verdigris::test {
namespace {

using namespace std::chrono_literals;

class MultiHost : public SharedShop {
 protected:
  void SetUp() override {
    SharedShop::SetUp();
    if (IsSkipped()) return;
    choose_pooler(*shop_, "pooler:\n  driver: none\n");
  }

  Conninfo hosts(const std::string& first, const std::string& second) const {
    const auto& a = shop_->server(first);
    const auto& b = shop_->server(second);
    return Conninfo()
        .with("host", a.dir().string() + "," + b.dir().string())
        .with("port", std::to_string(a.port()) + "," + std::to_string(b.port()))
        .with("user", kPoolUser.user)
        .with("dbname", "shop")
        .with("passfile", require_sandbox(shop_->dir()).passfile.string())
        .with("target_session_attrs", "read-write");
  }
  std::string led_to(const Conninfo& hosts) const {
    try {
      auto client = Connection::open_plain(hosts, {"client", "client", false, {}}, soon());
      return value(client, "SELECT current_setting('cluster_name')");
    } catch (const CannotConnect& error) {
      return error.what();
    }
  }
};

TEST_F(MultiHost, ThereAndBackUnderLoadLosesNothing) {
  const auto sandbox = require_sandbox(shop_->dir());
  Interruption interruption;  // the thread inherits the blocked signals
  LoadSummary load;
  std::thread clients([&] {
    load = run_load(sandbox,
                    {.rate = 50, .seconds = 3600, .clients = 4, .ledger = sandbox.ledger(), .waits = {},
                     .ways = {hosts("blue", "green"), hosts("green", "blue")}},
                    interruption);
  });
  std::this_thread::sleep_for(1500ms);
  double turned_away = 0;
  for (const std::string command : {"switch", "rollback"}) {
    const auto answer = shop_->cross(command);
    EXPECT_EQ(answer.exit_code, 0) << answer.json << answer.errors;
    EXPECT_NE(answer.errors.find("brief errors"), std::string::npos) << answer.errors;
    turned_away += answer.json.value("pause_ms", 1e9);
    std::this_thread::sleep_for(2s);
    if (command != "switch") continue;
    EXPECT_EQ(led_to(hosts("green", "blue")), "green");
    // libpq goes on to the next host only if one does not answer. This one answers, and refuses.
    EXPECT_NE(led_to(hosts("blue", "green")).find("denied"), std::string::npos) << led_to(hosts("blue", "green"));
  }
  ::pthread_kill(clients.native_handle(), SIGTERM);
  clients.join();
  EXPECT_EQ(led_to(hosts("blue", "green")), "blue");
  const auto verdict = shop_->ledger("blue");
  EXPECT_TRUE(verdict.is_clean()) << (verdict.examples.empty() ? "" : verdict.examples.front());
  EXPECT_GT(verdict.acknowledged, 100);
  EXPECT_GT(load.pooled.errors, 0);
  EXPECT_LE(static_cast<double>(load.pooled.errors), 4 * (turned_away + 1000) / 10) << load.pooled.error_texts.front();
  EXPECT_EQ(shop_->difference_after_marker("blue", "green"), "");
}

// Whoever stops the clients before a switch may have those named that are left.
TEST_F(MultiHost, RefuseNamesWhoIsLeft) {
  const auto before = read(shop_->playbook());
  write(shop_->playbook(), replaced(before, "fence: { ", "fence: { bypass: refuse, "));
  auto left = Connection::open_plain(hosts("blue", "green"), {"client", "forgotten", false, {}}, soon());
  const auto answer = shop_->command({"switch", "--confirm", "shop"});
  EXPECT_EQ(answer.exit_code, 3) << answer.json << answer.errors;
  EXPECT_NE(answer.json.value("reason", "").find("forgotten"), std::string::npos) << answer.json;
  EXPECT_EQ(value(left, "SELECT 1"), "1");
  write(shop_->playbook(), before);
}

}  // namespace
}  // namespace verdigris::test
