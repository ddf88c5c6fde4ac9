// Two poolers, and one of them freezes below the line (faults F8): the clients of the other go on at once, the frozen one
// is tried again until the time is up, then a person is asked; when it answers again, `recover` ends it.
#include <csignal>

#include "tests/support/pgbouncer_driver.hpp"
#include "tests/support/shop.hpp"

namespace verdigris::test {
namespace {

using namespace std::chrono_literals;

class FrozenPooler : public testing::Test {
 protected:
  static void SetUpTestSuite() {
    if (!have_postgres(15) || !have_postgres(17)) return;
    shop_ = new Shop();
    second_ = new PgBouncerProcess(shop_->pair().pooler("second"));
    const auto admin = second_->admin();
    const std::string instance = "    - admin: \"" + admin.text() + "\"\n      file: " + second_->ini().string() + "\n";
    write(shop_->playbook(), replaced(read(shop_->playbook()), "  instances:\n", "  instances:\n" + instance));
  }
  static void TearDownTestSuite() {
    delete second_;
    delete shop_;
  }
  void SetUp() override {
    NEED_POSTGRES(15);
    NEED_POSTGRES(17);
  }
  void TearDown() override {
    if (second_ != nullptr) ::kill(second_->pid(), SIGCONT);
  }

  std::string target() const { return command_ == "switch" ? "green" : "blue"; }

  // The controller dies right behind the decision, and then the pooler that comes first in the playbook freezes.
  void freeze_below_the_line(const std::string& command) {
    command_ = command;
    const auto answer = shop_->cross(command, {{"VERDIGRIS_CRASH", "after:committed"}});
    ASSERT_EQ(answer.exit_code, kKilled) << answer.errors;
    ::kill(second_->pid(), SIGSTOP);
  }

  ChildProcess start_recover() {
    return ChildProcess::start({.argv = shop_->program({"recover", "--yes"}),
                                .output = shop_->dir() / "recover.out",
                                .errors = shop_->dir() / "recover.err"});
  }
  std::string errors() const { return read(shop_->dir() / "recover.err"); }

  void end_with(ChildProcess& recover, int exit_code) {
    ASSERT_TRUE(recover.wait_end(Deadline::after(100s))) << errors();
    EXPECT_EQ(recover.exit_code(), exit_code) << errors();
  }

  static Shop* shop_;
  static PgBouncerProcess* second_;
  std::string command_;
};

Shop* FrozenPooler::shop_ = nullptr;
PgBouncerProcess* FrozenPooler::second_ = nullptr;

TEST_F(FrozenPooler, BelowTheLineHoldsNobodyBackAtTheOther) {
  for (const std::string command : {"switch", "rollback"}) {
    SCOPED_TRACE(command);
    Clients clients({shop_->pooler().client("app", "shop"), shop_->pooler().client("app", "shop")});
    ASSERT_TRUE(clients.wait_for(command == "switch" ? "blue" : "green", 20));
    freeze_below_the_line(command);
    if (HasFatalFailure()) return;
    auto recover = start_recover();
    EXPECT_TRUE(clients.wait_for(target(), 20)) << "they wait for another pooler" << errors();
    EXPECT_TRUE(recover.is_running()) << "it gave the frozen one up" << errors();
    ::kill(second_->pid(), SIGCONT);
    end_with(recover, 0);
    Clients thawed({second_->client("app", "shop")});
    EXPECT_TRUE(thawed.wait_for(target(), 5));
    EXPECT_EQ(shop_->command({"status"}).json.value("activity", "?"), "none");
  }
}

// All or none: whoever is in a transaction behind one of them keeps nobody waiting longer than the budget, at either.
TEST_F(FrozenPooler, OneThatCannotPauseInTimeEndsTheWaitAtBoth) {
  const auto playbook = read(shop_->playbook());
  write(shop_->playbook(), replaced(replaced(playbook, "max_pause: 10s", "max_pause: 1s"), "  databases: [shop]\n",
                                    "  databases: [shop]\n  pause: { timeout: 900ms, attempts: 1 }\n"));
  Clients clients({shop_->pooler().client("app", "shop"), second_->client("app", "shop")});
  ASSERT_TRUE(clients.wait_for("blue", 20));
  for (const auto* pooler : {&shop_->pooler(), second_}) {
    auto report = Connection::open_plain(pooler->client("app", "shop"), {"client", "report", false, {}}, soon());
    run(report, "BEGIN");
    run(report, "SELECT count(*) FROM public.customers");
    const auto answer = shop_->command({"switch", "--confirm", "shop"});
    EXPECT_EQ(answer.exit_code, 5) << answer.json << answer.errors;
    EXPECT_EQ(answer.json.value("reason_id", "?"), "pooler.pause-timeout") << answer.json;
    for (const auto* each : {&shop_->pooler(), second_}) {
      const auto shop = PgBouncerConsole::open("shop", each->admin(), soon()).database("shop", soon());
      EXPECT_FALSE(shop.is_paused) << each->dir();
      EXPECT_EQ(shop.target.host, shop_->server("blue").dir().string());
    }
    EXPECT_TRUE(clients.wait_for("blue", 20));
    EXPECT_EQ(value(report, "SELECT 'goes on'"), "goes on");
  }
  clients.stop();
  write(shop_->playbook(), playbook);
  EXPECT_EQ(clients.errors(), 0);
  EXPECT_LT(clients.longest(), 2s);
  EXPECT_TRUE(shop_->scene().is_blue_open);
}

TEST_F(FrozenPooler, ThatStaysFrozenIsNamedAndEndedLater) {
  Clients clients({shop_->pooler().client("app", "shop")});
  ASSERT_TRUE(clients.wait_for("blue", 20));
  freeze_below_the_line("switch");
  if (HasFatalFailure()) return;
  auto recover = start_recover();
  EXPECT_TRUE(clients.wait_for("green", 20)) << errors();
  end_with(recover, 6);
  EXPECT_NE(errors().find("pooler 1: "), std::string::npos) << errors();
  EXPECT_TRUE(clients.wait_for("green", 20));
  ::kill(second_->pid(), SIGCONT);
  auto again = start_recover();
  end_with(again, 0);
  EXPECT_EQ(shop_->command({"status"}).json.value("phase", "?"), "switched");
}

}  // namespace
}  // namespace verdigris::test
