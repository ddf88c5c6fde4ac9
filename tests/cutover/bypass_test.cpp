// Sessions beside the pooler that could write: refused before clients are held, waited for, or ended behind the fence, as
// the playbook says. None of them may write once the fence stands.
#include <csignal>
#include <thread>

#include "controller/bypass.hpp"
#include "tests/support/pgbouncer_driver.hpp"
#include "tests/support/shared_shop.hpp"

namespace verdigris::test {
namespace {

using namespace std::chrono_literals;

class BypassPolicies : public SharedShopWithPlaybook {
 protected:
  void TearDown() override {
    SharedShopWithPlaybook::TearDown();
    if (!IsSkipped() && shop_->serving() == "green") {
      EXPECT_EQ(shop_->cross("rollback").exit_code, 0);
    }
  }
  void choose(const std::string& policy) {
    write(shop_->playbook(), replaced(original_, "fence: { ", "fence: { bypass: " + policy + ", "));
  }
  Connection direct() {
    return Connection::open_plain(shop_->server("blue").conninfo("postgres", "shop"), {"blue", "etl", false, {}}, soon());
  }
  ChildProcess start(const Environment& environment = {}) {
    for (const char* name : {"bypass.out", "bypass.err"}) std::filesystem::remove(shop_->dir() / name);  // of another run
    return ChildProcess::start({.argv = shop_->program({"switch", "--confirm", "shop"}),
                                .environment = shop_->with_points(environment),
                                .output = shop_->dir() / "bypass.out",
                                .errors = shop_->dir() / "bypass.err"});
  }
  std::string errors() const { return read(shop_->dir() / "bypass.err"); }
  bool has_come_to(const std::string& point) const {
    return std::filesystem::exists(shop_->dir() / "points") && read(shop_->dir() / "points").find(point) != std::string::npos;
  }
};

TEST_F(BypassPolicies, RefuseNamesThemBeforeClientsAreHeld) {
  choose("refuse");
  auto etl = direct();
  const auto answer = shop_->command({"switch", "--confirm", "shop"}, shop_->with_points());
  EXPECT_EQ(answer.exit_code, 3) << answer.json << answer.errors;
  const auto reason = answer.json.value("reason", "");
  EXPECT_NE(reason.find("fence.bypass"), std::string::npos) << answer.json;
  EXPECT_NE(reason.find("pid " + std::to_string(etl.backend_pid())), std::string::npos) << answer.json;
  EXPECT_NE(reason.find("etl"), std::string::npos) << answer.json;
  EXPECT_FALSE(has_come_to("pause_traffic"));
  EXPECT_EQ(value(etl, "SELECT 1"), "1");
}

TEST_F(BypassPolicies, RefuseLetsThePoolersOwnConnectionsPass) {
  choose("refuse");
  Clients clients({shop_->pooler().client("app", "shop"), shop_->pooler().client("app", "shop")});
  ASSERT_TRUE(clients.wait_for("blue", 5));
  const auto answer = shop_->command({"switch", "--confirm", "shop"});
  EXPECT_EQ(answer.exit_code, 0) << answer.json << answer.errors;
  EXPECT_TRUE(clients.wait_for("green", 5));
}

TEST_F(BypassPolicies, WaitWaitsBeforeClientsAreHeld) {
  choose("wait");
  auto etl = direct();
  auto crossing = start();
  shop_->wait_for_point("after:apply:warm_up");
  std::this_thread::sleep_for(2s);
  EXPECT_TRUE(crossing.is_running()) << errors();
  EXPECT_FALSE(has_come_to("pause_traffic"));
  etl.close();
  ASSERT_TRUE(crossing.wait_end(Deadline::after(60s))) << errors();
  EXPECT_EQ(crossing.exit_code(), 0) << errors();
}

TEST_F(BypassPolicies, WaitUndoesWhenOneComesLateAndStays) {
  choose("wait");
  auto crossing = start({{"VERDIGRIS_STOP", "after:apply:stand_ready"}});
  shop_->wait_for_point("after:apply:stand_ready");
  auto etl = direct();
  crossing.send(SIGCONT);
  ASSERT_TRUE(crossing.wait_end(Deadline::after(60s))) << errors();
  EXPECT_EQ(crossing.exit_code(), 5) << errors();
  EXPECT_NE(read(shop_->dir() / "bypass.out").find("fence.bypass"), std::string::npos) << read(shop_->dir() / "bypass.out");
  EXPECT_EQ(value(etl, "SELECT 1"), "1") << "it is waited for, not ended";
  EXPECT_EQ(shop_->serving(), "blue");
}

// One that is idle, one with a write that it has not committed for long: both are gone, and so is the write.
TEST_F(BypassPolicies, TerminateEndsThemBehindTheFence) {
  choose("terminate");
  auto idle = direct();
  auto writer = direct();
  run(writer, "BEGIN");
  run(writer, "INSERT INTO public.ledger_a VALUES (77, 1, 0)");
  std::this_thread::sleep_for(1500ms);
  const auto answer = shop_->command({"switch", "--confirm", "shop"});
  EXPECT_EQ(answer.exit_code, 0) << answer.json << answer.errors;
  EXPECT_ANY_THROW(run(idle, "SELECT 1"));
  EXPECT_ANY_THROW(run(writer, "COMMIT"));
  auto blue = admin(shop_->server("blue"));
  EXPECT_EQ(value(blue, "SELECT count(*) FROM public.ledger_a WHERE writer = 77"), "0");
  EXPECT_EQ(shop_->difference_after_marker("green", "blue"), "");
}

// What the pause has closed is left to end by itself; but a transaction that goes on, or a stranger, is waited for.
TEST_F(BypassPolicies, OnlyIdleBackendsOfAClosedPoolAreLeftToEnd) {
  Server blue("blue", "shop", shop_->server("blue").conninfo("verdigris", "shop"));
  blue.connect(soon());
  auto backend = direct();
  std::vector<int> closed;
  for (const auto& one : foreign_sessions(blue.control(), "shop", soon())) closed.push_back(one.pid);
  const auto look = [&](const std::vector<int>& backends) {
    return error_of([&] { wait_for_no_foreign_session(blue, {BypassPolicy::wait, backends}, Deadline::after(100ms), soon()); });
  };
  EXPECT_EQ(look(closed), "accepted");
  EXPECT_EQ(look({}), "fence.bypass") << "a stranger";
  run(backend, "BEGIN");
  EXPECT_EQ(look(closed), "fence.bypass") << "idle in a transaction";
  run(backend, "ROLLBACK");
  backend.send(Sql("SELECT pg_sleep(1)"), soon());
  std::this_thread::sleep_for(50ms);
  EXPECT_EQ(look(closed), "fence.bypass") << "in the midst of a statement";
  backend.receive(soon());
}

}  // namespace
}  // namespace verdigris::test
