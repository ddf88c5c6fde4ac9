// What the driver believes about PgBouncer (faults B1-B20), seen on the installed version. A red test here means that
// the world changed, not that the driver is wrong.
#include <gtest/gtest.h>

#include <thread>

#include "tests/support/pgbouncer_facts.hpp"

namespace verdigris {
namespace {

using namespace std::chrono_literals;
using test::PgBouncerFacts;
using test::read;
using test::soon;
using test::write;

TEST_F(PgBouncerFacts, B2_ResumeOfWhatIsNotPausedIsAnErrorAndPauseTwiceIsNot) {
  start();
  auto one = console();
  EXPECT_THROW(one.resume("shop", soon()), ServerError);
  for (int i = 0; i < 2; ++i) {
    one.send_pause("shop", soon());
    EXPECT_EQ(one.receive_tag(soon()), "PAUSE");
  }
  EXPECT_TRUE(is_paused());
  one.resume("shop", soon());
  EXPECT_FALSE(is_paused());
}

TEST_F(PgBouncerFacts, B2_AGlobalPauseDoesNotShowInTheDatabaseAndRefusesItsOwn) {
  start();
  auto one = console();
  one.connection().execute(Sql("PAUSE"), soon());
  EXPECT_FALSE(is_paused());
  one.send_pause("shop", soon());
  EXPECT_THROW(one.receive_tag(soon()), ServerError);
  EXPECT_THROW(one.resume("shop", soon()), ServerError);
  one.connection().execute(Sql("RESUME"), soon());
}

TEST_F(PgBouncerFacts, B4_ResumeElsewhereFreesClientsButThatPauseNeverAnswers) {
  start();
  auto blocker = open_transaction();
  auto pausing = console();
  pausing.send_pause("shop", soon());
  auto other = console();
  while (!is_paused()) std::this_thread::sleep_for(1ms);  // true as soon as PAUSE is sent
  other.resume("shop", soon());
  auto free_client = client();
  EXPECT_EQ(server_of(free_client), "blue");
  blocker.execute(Sql("COMMIT"), soon());
  EXPECT_THROW(pausing.receive_tag(Deadline::after(500ms)), DeadlinePassed);
}

TEST_F(PgBouncerFacts, B5_APauseOutlivesTheConsoleThatAskedForIt) {
  start();
  auto blocker = open_transaction();
  auto pausing = console();
  pausing.send_pause("shop", soon());
  while (!is_paused()) std::this_thread::sleep_for(1ms);
  pausing.close();
  std::this_thread::sleep_for(100ms);
  EXPECT_TRUE(is_paused());
  blocker.execute(Sql("COMMIT"), soon());
  EXPECT_TRUE(is_paused());
  console().resume("shop", soon());
}

TEST_F(PgBouncerFacts, B6_AfterAWaitClosePauseAnswersAtOnceWithATransactionOpen) {
  start();
  auto blocker = open_transaction();
  auto closing = console();
  closing.connection().send(Sql("WAIT_CLOSE shop"), soon());
  auto pausing = console();
  std::this_thread::sleep_for(50ms);
  pausing.send_pause("shop", soon());
  EXPECT_EQ(pausing.receive_tag(Deadline::after(2s)), "WAIT_CLOSE");
  EXPECT_EQ(console().sessions("shop", soon()).size(), 1U) << "the transaction is open, as only SHOW SERVERS says";
  blocker.execute(Sql("COMMIT"), soon());
  console().resume("shop", soon());
}

TEST_F(PgBouncerFacts, PauseOfOneDatabaseWaitsForEveryOtherPausedOne) {
  start();
  auto file = read(pooler_->ini());
  const std::string line = "other = host=" + pair_.blue().dir().string() + " port=5432 dbname=shop\n";
  write(pooler_->ini(), file.insert(file.find('\n') + 1, line));
  console().reload(soon());
  auto blocker = open_transaction();
  auto in_other = Connection::open_plain(pooler_->client("app", "other"), {"client", "client", false, {}}, soon());
  in_other.execute(Sql("BEGIN"), soon());
  auto first = console();
  first.send_pause("shop", soon());
  auto second = console();
  second.send_pause("other", soon());
  std::this_thread::sleep_for(50ms);
  in_other.execute(Sql("COMMIT"), soon());
  EXPECT_THROW(second.receive_tag(Deadline::after(300ms)), DeadlinePassed) << "its own connections are gone";
  EXPECT_TRUE(console().sessions("other", soon()).empty());
  blocker.execute(Sql("COMMIT"), soon());
  EXPECT_EQ(first.receive_tag(soon()), "PAUSE");
}

TEST_F(PgBouncerFacts, B7_ARestartLosesThePause) {
  start();
  pause();
  pooler_->kill_hard();
  pooler_->start();
  EXPECT_FALSE(is_paused());
  auto session = client();
  EXPECT_EQ(server_of(session), "blue");
}

// The whole story of one attempt: a user's first login falls into the pause. Returns how long it waited after RESUME.
class PgBouncerLoginFacts : public PgBouncerFacts {
 protected:
  std::chrono::milliseconds wait_after_resume(bool sets_retry) {
    start({{"server_login_retry", "4"}});
    {
      auto warm = client();
      warm.execute(Sql("SELECT 1"), soon());
    }
    auto pausing = console();
    pausing.send_pause("shop", soon());
    EXPECT_EQ(pausing.receive_tag(soon()), "PAUSE");
    Deadline::Clock::time_point served;
    std::thread newcomer([&] {
      auto session = client("stray");
      session.execute(Sql("SELECT 1"), soon());
      served = Deadline::Clock::now();
    });
    std::this_thread::sleep_for(300ms);
    auto other = console();
    if (sets_retry) other.set("server_login_retry", "0", soon());
    const auto resumed = Deadline::Clock::now();
    other.resume("shop", soon());
    newcomer.join();
    return std::chrono::duration_cast<std::chrono::milliseconds>(served - resumed);
  }
};

TEST_F(PgBouncerLoginFacts, B8_ALoginThatFallsIntoThePauseBlocksItsPoolForLoginRetry) {
  EXPECT_GT(wait_after_resume(false), 1500ms);
}

TEST_F(PgBouncerLoginFacts, B8_LoginRetryZeroBeforeResumeServesAtOnce) {
  EXPECT_LT(wait_after_resume(true), 1500ms);
}

TEST_F(PgBouncerFacts, B8_ALoginInFlightIsNewAmongServersAndALoginAmongPools) {
  start();
  pair_.blue().freeze();
  std::thread newcomer([&] { client().execute(Sql("SELECT 1"), soon()); });
  auto look = console();
  std::vector<PooledSession> sessions;
  for (const auto patience = Deadline::after(10s); sessions.empty() && !patience.has_passed();) sessions = look.sessions("shop", soon());
  const auto pools = look.pools("shop", soon());
  pair_.blue().thaw();
  newcomer.join();
  ASSERT_EQ(sessions.size(), 1U);
  EXPECT_EQ(sessions[0].state, "new");
  EXPECT_TRUE(is_busy(sessions[0].state)) << "PAUSE waits for it";
  EXPECT_EQ(sessions[0].backend_pid, 0);
  EXPECT_EQ(pools.logins_in_flight, 1);
}

TEST_F(PgBouncerFacts, B8_ReloadUndoesWhatWasSet) {
  start({{"server_login_retry", "4"}});
  auto one = console();
  one.set("server_login_retry", "0", soon());
  EXPECT_EQ(one.config(soon())["server_login_retry"], "0");
  one.reload(soon());
  EXPECT_EQ(one.config(soon())["server_login_retry"], "4");
}

TEST_F(PgBouncerFacts, B9_ABrokenFileAnswersReloadAndIsHalfApplied) {
  start();
  auto one = console();
  const std::string good = read(pooler_->ini());
  std::string broken = rerouted_file();
  broken.insert(broken.find("pool_mode"), "no_such_setting = 1\n");
  write(pooler_->ini(), broken);
  const bool says_so = pgbouncer_version(one.version(soon())) >= 12500;
  if (says_so)
    EXPECT_THROW(one.reload(soon()), ServerError);
  else
    EXPECT_NO_THROW(one.reload(soon()));
  EXPECT_EQ(one.database("shop", soon()).target.host, pair_.green().dir().string()) << "read above the fault";
  EXPECT_EQ(one.config(soon())["pool_mode"], "session") << "what stands below it fell to its default";
  EXPECT_THROW(console().reload(soon()), Error) << "admin_users is empty: new consoles have no rights";
  write(pooler_->ini(), good);
  one.reload(soon());  // a console of before keeps its rights
  EXPECT_EQ(one.database("shop", soon()).target.host, pair_.blue().dir().string());
  EXPECT_EQ(console().config(soon())["pool_mode"], "transaction");
}

TEST_F(PgBouncerFacts, ReloadMovesAPausedDatabaseAndKeepsThePause) {
  start();
  auto session = client();
  EXPECT_EQ(server_of(session), "blue");
  auto one = console();
  one.send_pause("shop", soon());
  EXPECT_EQ(one.receive_tag(soon()), "PAUSE");
  write(pooler_->ini(), rerouted_file());
  one.reload(soon());
  EXPECT_TRUE(is_paused());
  one.resume("shop", soon());
  EXPECT_EQ(server_of(session), "green") << "the same client session, another server";
}

// What our lexer of the file copies.
TEST_F(PgBouncerFacts, ReadsItsFileByRulesOfItsOwn) {
  start();
  auto one = console();
  const std::string good = read(pooler_->ini());
  const std::string rest = "\n\n" + good.substr(good.find("[pgbouncer]"));
  const auto target_with = [&](const std::string& head) {
    write(pooler_->ini(), head + rest);
    try {
      one.reload(soon());
    } catch (const ServerError&) {
      // 1.25 says that it failed
    }
    const auto target = one.database("shop", soon()).target;
    write(pooler_->ini(), good);
    one.reload(soon());
    return target;
  };
  const Endpoint unread{pair_.blue().dir().string(), "5432", "shop"};
  const std::pair<std::string, Endpoint> cases[] = {
      {"[databases]\r\nshop = host=/a port=7\r\n", {"/a", "7", "shop"}},
      {"[databases] shop = host = /a   port =  7", {"/a", "7", "shop"}},
      {"[databases]\nshop = host='/a b' dbname='it''s'", {"/a b", "5432", "it's"}},
      {"[databases]\nshop = host=/a\tport=7", {"/a\tport=7", "5432", "shop"}},
      {"[databases]\nshop = host=/a port=7;old", {"/a", "7", "shop"}},
      {"[databases]\nshop = host=/a host=/b", {"/b", "5432", "shop"}},
      {"[databases]\nshop = host=/a ; old", unread},
      {"[databases]\nshop = host='/a'port=7", unread},
      {"[databases]\nshop = host=/a dbname=''", unread},
      {"[databases]\n\"shop\" = host=/a", unread},
      {"[databases ]\nshop = host=/a", unread},
  };
  for (const auto& [head, target] : cases) EXPECT_EQ(target_with(head), target) << head;
}

}  // namespace
}  // namespace verdigris
