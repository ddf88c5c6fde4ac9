// The PgBouncer driver against real processes: two poolers in front of two servers, clients that notice everything.
#include <algorithm>
#include <atomic>
#include <csignal>

#include "controller/ini_file.hpp"
#include "controller/staged_file.hpp"
#include "controller/steps/confirm_pause.hpp"
#include "controller/traffic_none.hpp"
#include "tests/support/pgbouncer_driver.hpp"

namespace verdigris {
namespace {

using namespace std::chrono_literals;
using test::Clients;
using test::error_of;
using test::PgBouncerDriver;
using test::read;
using test::replaced;
using test::soon;
using test::write;

TEST_F(PgBouncerDriver, MovesWaitingClientsToTheOtherServerAndBackWithoutAnError) {
  start();
  const std::string before = read(poolers_[0].ini());
  Clients clients(everywhere(4));
  ASSERT_TRUE(clients.wait_for("blue", 100));
  PgBouncerTraffic traffic(settings());
  EXPECT_EQ(traffic.describe(), "2 PgBouncer processes, database shop");
  const std::pair<Endpoint, Endpoint> moves[] = {{blue(), green()}, {green(), blue()}};
  for (const auto& [from, to] : moves) {
    const std::string now = to == green() ? "green" : "blue";
    const std::string then = to == green() ? "blue" : "green";
    traffic.require_ready(from, 5s, soon());
    traffic.stage(to, soon());
    traffic.pause(soon());
    for (const auto& state : traffic.state(soon())) {
      EXPECT_TRUE(state.is_paused);
      EXPECT_EQ(state.server_connections, 0);
      EXPECT_EQ(state.target, from);
    }
    std::this_thread::sleep_for(30ms);  // the acts of the window; clients queue up
    traffic.point_to(to, soon());
    traffic.resume(soon());
    const auto times = traffic.pause_times();
    EXPECT_GT(times.waiting_clients, 0);
    EXPECT_LT(*times.last_resume_acknowledged - *times.first_pause_sent, 1s);
    for (const auto& state : traffic.state(soon())) {
      EXPECT_FALSE(state.is_paused);
      EXPECT_EQ(state.target, to);
    }
    ASSERT_TRUE(clients.wait_for(now, 100));
    const int of_old_side = clients.answers(then);
    ASSERT_TRUE(clients.wait_for(now, 100));
    EXPECT_EQ(clients.answers(then), of_old_side) << "somebody still asks the old side";
  }
  clients.stop();
  EXPECT_EQ(clients.errors(), 0);
  EXPECT_LT(clients.longest(), 2s);
  EXPECT_EQ(read(poolers_[0].ini()), before) << "there and back gives the same bytes";
  EXPECT_EQ(console(0).config(soon())["server_login_retry"], "15");
}

// One transaction after the other, 120 ms each and 15 ms between them: blind, PAUSE would wait for 60 ms on average.
TEST_F(PgBouncerDriver, PausesAtAnInstantWithFewOpenTransactions) {
  start();
  std::atomic<bool> is_over = false;
  std::thread client([&] {
    auto session = Connection::open_plain(poolers_[1].client("app", "shop"), {"client", "report", false, {}}, soon());
    while (!is_over) {
      session.query(Sql("SELECT pg_sleep(0.12)"), soon());
      std::this_thread::sleep_for(15ms);
    }
  });
  PgBouncerTraffic traffic(settings());
  std::vector<std::chrono::steady_clock::duration> waits;
  for (int round = 0; round < 9; ++round) {
    traffic.require_ready(blue(), 5s, soon());
    traffic.pause(soon());
    waits.push_back(std::chrono::steady_clock::now() - *traffic.pause_times().first_pause_sent);
    traffic.resume(soon());
    std::this_thread::sleep_for(std::chrono::milliseconds(40 + 17 * round));
  }
  is_over = true;
  client.join();
  std::ranges::sort(waits);
  EXPECT_LT(waits[4], 30ms) << "the median";
}

// Without such an instant it does not wait for one for long.
TEST_F(PgBouncerDriver, ATransactionThatStaysOpenIsNotWaitedForBeforeThePause) {
  start();
  auto session = open_transaction();
  PgBouncerTraffic traffic(settings(300ms));
  const auto begin = std::chrono::steady_clock::now();
  EXPECT_EQ(error_of([&] { traffic.pause(soon()); }), "pooler.pause-timeout");
  EXPECT_LT(*traffic.pause_times().first_pause_sent - begin, 700ms);
  traffic.resume(soon());
}

TEST_F(PgBouncerDriver, AFreshObjectResumesWhatADeadOnePaused) {
  start();
  Clients clients(everywhere(3));
  ASSERT_TRUE(clients.wait_for("blue", 50));
  {
    PgBouncerTraffic first(settings());
    first.require_ready(blue(), 5s, soon());
    first.stage(green(), soon());
    first.pause(soon());
  }
  EXPECT_TRUE(console(0).database("shop", soon()).is_paused);
  PgBouncerTraffic second(settings());
  second.resume(soon());
  second.resume(soon());  // not paused is success
  second.discard_staged();
  EXPECT_FALSE(std::filesystem::exists(poolers_[0].ini().string() + ".verdigris-staged"));
  ASSERT_TRUE(clients.wait_for("blue", 50));
  clients.stop();
  EXPECT_LT(clients.longest(), 2s) << "a pool was blocked by server_login_retry";
  EXPECT_GT(second.pause_times().waiting_clients, 0);
  EXPECT_EQ(read(poolers_[0].ini()).find("green"), std::string::npos);
}

TEST_F(PgBouncerDriver, WhoIsLedToAClosedServerStaysHeldAndOthersGoOn) {
  start();
  PgBouncerTraffic traffic(settings());
  traffic.pause(soon());
  auto only_b = settings();
  only_b.instances.erase(only_b.instances.begin());
  PgBouncerTraffic(only_b).point_to(green(), soon());
  traffic.resume_but_for(blue(), soon());
  EXPECT_TRUE(console(0).database("shop", soon()).is_paused);
  EXPECT_FALSE(console(1).database("shop", soon()).is_paused);
  traffic.resume_but_for(green(), soon());
  EXPECT_FALSE(console(0).database("shop", soon()).is_paused);
}

TEST_F(PgBouncerDriver, AFreshObjectFinishesWhatADeadOneBegan) {
  start();
  Clients clients(everywhere(2));
  ASSERT_TRUE(clients.wait_for("blue", 20));
  {
    PgBouncerTraffic first(settings());
    first.require_ready(blue(), 5s, soon());
    first.stage(green(), soon());
    first.pause(soon());
    // It dies behind the rename of pooler a, before its RELOAD.
    StagedFile file(poolers_[0].ini());
    const auto ini = IniFile::parse("a", file.read(), [](const std::string&) { return std::nullopt; });
    file.stage(file.read(), ini.with_target("shop", green()));
    file.move_into_place();
  }
  PgBouncerTraffic second(settings());
  second.point_to(green(), soon());
  second.point_to(green(), soon());
  second.resume(soon());
  ASSERT_TRUE(clients.wait_for("green", 50));
  clients.stop();
  EXPECT_EQ(clients.errors(), 0);
}

TEST_F(PgBouncerDriver, APauseThatComesTooLateNamesWhoBlocksAndIsUndone) {
  start();
  Clients clients(everywhere(2));
  ASSERT_TRUE(clients.wait_for("blue", 20));
  auto blocker = open_transaction();
  PgBouncerTraffic traffic(settings(300ms));
  traffic.require_ready(blue(), 5s, soon());
  std::string text;
  EXPECT_EQ(error_of([&] { traffic.pause(soon()); }, &text), "pooler.pause-timeout");
  EXPECT_NE(text.find("pooler b: "), std::string::npos) << text;
  EXPECT_NE(text.find("of app for app pid "), std::string::npos) << text;
  EXPECT_NE(text.find("(report)"), std::string::npos) << text;
  EXPECT_EQ(text.find("pooler a"), std::string::npos) << text;
  traffic.resume(soon());
  for (const auto& state : traffic.state(soon())) EXPECT_FALSE(state.is_paused);
  ASSERT_TRUE(clients.wait_for("blue", 50));
  blocker.execute(Sql("COMMIT"), soon());
  traffic.require_ready(blue(), 5s, soon());
  traffic.pause(soon());
  traffic.resume(soon());
  ASSERT_TRUE(clients.wait_for("blue", 50));
  clients.stop();
  EXPECT_LT(clients.longest(), 2s);
}

TEST_F(PgBouncerDriver, APoolerThatLiesAboutPauseIsFoundOut) {
  start();
  auto blocker = open_transaction();
  auto other = console(1);
  other.connection().send(Sql("WAIT_CLOSE shop"), soon());
  PgBouncerTraffic traffic(settings(1s));
  traffic.require_ready(blue(), 5s, soon());
  EXPECT_EQ(error_of([&] { traffic.pause(soon()); }), "pooler.pause-lies");
  traffic.resume(soon());
}

// Logins of the pooler that fall into a pause fail and block their pool for server_login_retry (faults B8, mutant M37).
TEST_F(PgBouncerDriver, AUserWhoFirstComesInThePauseIsServedAtOnceAfterIt) {
  start({.settings = {{"server_login_retry", "9"}}});
  Clients clients(everywhere(1));
  ASSERT_TRUE(clients.wait_for("blue", 20));
  PgBouncerTraffic traffic(settings());
  for (const bool is_undone : {true, false}) {
    const char* user = is_undone ? "stray" : "verdigris_admin";
    for (auto* server : {&pair_.blue(), &pair_.green()}) {
      auto postgres = test::admin(*server, "postgres");
      if (!is_undone) test::run(postgres, "CREATE ROLE verdigris_admin LOGIN PASSWORD 'sandbox-admin'");
    }
    traffic.require_ready(blue(), 5s, soon());
    traffic.stage(green(), soon());
    traffic.pause(soon());
    Clients newcomer({poolers_[0].client(user, "shop")});
    std::this_thread::sleep_for(300ms);
    if (!is_undone) traffic.point_to(green(), soon());
    traffic.resume(soon());
    EXPECT_TRUE(newcomer.wait_for(is_undone ? "blue" : "green", 5));
    EXPECT_TRUE(clients.wait_for(is_undone ? "blue" : "green", 5));
    newcomer.stop();
    EXPECT_LT(newcomer.longest(), 4s);
  }
  clients.stop();
  EXPECT_LT(clients.longest(), 4s);
  EXPECT_EQ(console(0).config(soon())["server_login_retry"], "9");
  for (auto* server : {&pair_.blue(), &pair_.green()}) {
    auto postgres = test::admin(*server, "postgres");
    test::run(postgres, "DROP ROLE verdigris_admin");
  }
}

TEST_F(PgBouncerDriver, AReloadThatOnlySaysItWorkedIsFoundOut) {
  start();
  const auto file = poolers_[1].ini();
  const auto included = poolers_[1].dir() / "more.ini";
  write(included, "[pgbouncer]\n");
  write(file, "%include " + included.string() + "\n" + read(file));
  console(1).reload(soon());
  PgBouncerTraffic traffic(settings());
  traffic.require_ready(blue(), 5s, soon());
  traffic.stage(green(), soon());
  write(included, "no setting\n");  // from here on PgBouncer stops above our line
  std::string text;
  EXPECT_EQ(error_of([&] { traffic.point_to(green(), soon()); }, &text), "pooler.not-rerouted");
  EXPECT_NE(text.find("pooler b: "), std::string::npos) << text;
  EXPECT_EQ(traffic.state(soon())[0].target, green());
  write(included, "[pgbouncer]\n");
  traffic.point_to(green(), soon());
  EXPECT_EQ(traffic.state(soon())[1].target, green());
}

TEST_F(PgBouncerDriver, AFrozenPoolerHoldsBackNeitherTheOthersNorTheVerdict) {
  start();
  Clients clients({poolers_[0].client("app", "shop")});
  PgBouncerTraffic traffic(settings(300ms));
  traffic.require_ready(blue(), 5s, soon());
  ::kill(poolers_[1].pid(), SIGSTOP);
  std::string text;
  EXPECT_NE(error_of([&] { traffic.pause(soon()); }, &text), "accepted");
  EXPECT_NE(text.find("pooler b"), std::string::npos) << text;
  EXPECT_NE(error_of([&] { traffic.resume(Deadline::after(300ms)); }, &text), "accepted");
  EXPECT_NE(text.find("pooler b"), std::string::npos) << text;
  EXPECT_EQ(text.find("pooler a"), std::string::npos) << text;
  EXPECT_TRUE(clients.wait_for("blue", 20));
  ::kill(poolers_[1].pid(), SIGCONT);
  traffic.resume(soon());
  for (const auto& state : traffic.state(soon())) EXPECT_FALSE(state.is_paused) << state.instance;
}

TEST_F(PgBouncerDriver, APoolerThatWasRestartedInThePauseComesUpOnTheNewTarget) {
  start();
  PgBouncerTraffic traffic(settings());
  traffic.require_ready(blue(), 5s, soon());
  traffic.stage(green(), soon());
  traffic.pause(soon());
  poolers_[0].kill_hard();
  poolers_[0].start();
  traffic.point_to(green(), soon());
  traffic.resume(soon());
  Clients clients(everywhere(1));
  EXPECT_TRUE(clients.wait_for("green", 20));
  EXPECT_EQ(clients.answers("blue"), 0);
}

// Its logins met the fence and block their pool, and there is no pause whose RESUME would wake it.
TEST_F(PgBouncerDriver, APoolerThatWasRestartedInThePauseLetsItsClientsGoOnAtOnce) {
  start({.settings = {{"server_login_retry", "9"}}});
  PgBouncerTraffic traffic(settings());
  traffic.require_ready(blue(), 5s, soon());
  traffic.stage(green(), soon());
  traffic.pause(soon());
  poolers_[0].kill_hard();
  auto postgres = test::admin(pair_.blue(), "postgres");
  test::run(postgres, "ALTER DATABASE shop CONNECTION LIMIT 0");
  poolers_[0].start();
  EXPECT_EQ(error_of([&] { ConfirmPause(traffic).apply(soon()); }), "pooler.pause-lost");
  EXPECT_ANY_THROW(Connection::open_plain(poolers_[0].client("app", "shop"), {"pooler", "test", false, {}}, soon()));
  test::run(postgres, "ALTER DATABASE shop CONNECTION LIMIT -1");
  Clients clients({poolers_[0].client("app", "shop")});
  const auto deadline = soon();
  while (console(0).pools("shop", soon()).stranded_clients == 0 && !deadline.has_passed())
    std::this_thread::sleep_for(5ms);
  traffic.resume(soon());
  EXPECT_TRUE(traffic.has_moved(blue(), soon()));
  EXPECT_TRUE(clients.wait_for("blue", 20));
  clients.stop();
  EXPECT_LT(clients.longest(), 4s);
  EXPECT_EQ(clients.errors(), 0);
  EXPECT_EQ(console(0).config(soon())["server_login_retry"], "9");
}

TEST_F(PgBouncerDriver, AForeignEditBehindTheStagedFileIsSeenAboveTheLineAndKeptBelowIt) {
  start();
  PgBouncerTraffic traffic(settings());
  traffic.require_ready(blue(), 5s, soon());
  traffic.stage(green(), soon());
  const std::string edited = replaced(read(poolers_[1].ini()), "max_client_conn = 200", "max_client_conn = 150");
  write(poolers_[1].ini(), edited);
  EXPECT_EQ(error_of([&] { traffic.require_unedited(); }), "pooler.foreign-edit");
  EXPECT_EQ(read(poolers_[1].ini()), edited);
  // Below the line clients wait and nothing leads back: the edit stays, with our line in it.
  traffic.point_to(green(), soon());
  for (const auto& state : traffic.state(soon())) EXPECT_EQ(state.target, green());
  EXPECT_NE(read(poolers_[1].ini()).find("max_client_conn = 150"), std::string::npos);
}

TEST_F(PgBouncerDriver, APauseOfTheWholeProcessByAnotherIsMetAtPause) {
  start();
  auto other = console(1);
  other.connection().execute(Sql("PAUSE"), soon());
  PgBouncerTraffic traffic(settings(500ms));
  const bool is_shown = pgbouncer_version(other.version(soon())) >= 11900;
  EXPECT_EQ(error_of([&] { traffic.require_ready(blue(), 5s, soon()); }), is_shown ? "pooler.paused" : "accepted");
  EXPECT_NE(error_of([&] { traffic.pause(soon()); }), "accepted");
  traffic.resume(soon());
}

TEST_F(PgBouncerDriver, HoldsSeveralNamesOfTheDatabaseTogether) {
  start();
  for (std::size_t i = 0; i < poolers_.size(); ++i) {
    const auto file = poolers_[i].ini();
    const std::string line = "shop_ro = host=" + blue().host + " port=5432 dbname=shop\n";
    write(file, replaced(read(file), "[databases]\n", "[databases]\n" + line));
    console(i).reload(soon());
  }
  auto both = settings();
  both.databases = {"shop", "shop_ro"};
  auto through = everywhere(2);
  for (const auto& pooler : poolers_) through.push_back(pooler.client("app", "shop_ro"));
  Clients clients(through);
  ASSERT_TRUE(clients.wait_for("blue", 50));
  PgBouncerTraffic traffic(both);
  traffic.require_ready(blue(), 5s, soon());
  traffic.stage(green(), soon());
  traffic.pause(soon());
  traffic.point_to(green(), soon());
  traffic.resume(soon());
  EXPECT_TRUE(clients.wait_for("green", 50));
  clients.stop();
  EXPECT_EQ(clients.errors(), 0);
}

TEST(NoTraffic, SaysThatTheOperatorLeadsTheClients) {
  NoTraffic traffic;
  traffic.pause(soon());
  traffic.point_to({"db2", "5432", "shop"}, soon());
  traffic.resume(soon());
  EXPECT_EQ(traffic.describe(), "no pooler: the fence alone keeps clients off; lead them to db2:5432/shop yourself");
  EXPECT_TRUE(traffic.state(soon()).empty());
}

}  // namespace
}  // namespace verdigris
