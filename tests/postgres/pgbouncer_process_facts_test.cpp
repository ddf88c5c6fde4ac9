// What the driver believes about PgBouncer's processes, pools and pauses (faults B3-B20), seen on the installed version,
// beside pgbouncer_facts_test.cpp. Those of versions after 1.18 (B13, B15, and SHOW STATE) run with scripts/test
// --pgbouncer only; their answers are recorded in tests/unit/pgbouncer_replies_test.cpp.
#include <algorithm>
#include <csignal>
#include <filesystem>

#include "controller/pgbouncer_readiness.hpp"
#include "controller/sandbox/postgres_binaries.hpp"
#include "tests/support/pgbouncer_facts.hpp"

namespace verdigris {
namespace {

namespace fs = std::filesystem;
using namespace std::chrono_literals;
using test::PgBouncerFacts;
using test::read;
using test::reload_anyway;
using test::replaced;
using test::soon;
using test::write;

class PgBouncerProcessFacts : public PgBouncerFacts {
 protected:
  static void cancel(PgBouncerConsole& console) {
    PGcancel* request = PQgetCancel(console.connection().native());
    char why[256];
    PQcancel(request, why, sizeof why);
    PQfreeCancel(request);
  }
  // A process of the same port as the first, with a directory and a socket of its own.
  ChildProcess start_on_same_port(const fs::path& dir) const {
    ServerUser().make_directory(dir);
    for (const char* name : {"pgbouncer.ini", "userlist.txt"}) {
      std::string text = read(pooler_->dir() / name);
      for (auto at = text.find(pooler_->dir().string()); at != std::string::npos; at = text.find(pooler_->dir().string()))
        text.replace(at, pooler_->dir().string().size(), dir.string());
      write(dir / name, text);
      ServerUser().own(dir / name);
    }
    const char* other = std::getenv("VERDIGRIS_PGBOUNCER");
    const std::string program = other != nullptr && *other != '\0' ? other : require_pgbouncer().string();
    return ChildProcess::start({.argv = ServerUser().argv({program, "-q", (dir / "pgbouncer.ini").string()}, SIGTERM), .death_signal = SIGTERM});
  }
  Conninfo by_socket(const fs::path& dir) const { return pooler_->admin().with("host", dir.string()); }
  Conninfo by_port() const { return pooler_->admin().with("host", "127.0.0.1"); }
  static std::string socket_dir(const Conninfo& admin) {
    return PgBouncerConsole::open("p", admin, soon()).config(soon())["unix_socket_dir"];
  }
  static bool comes_up(const Conninfo& admin) {
    for (const auto patience = Deadline::after(10s); !patience.has_passed(); std::this_thread::sleep_for(20ms)) {
      try {
        PgBouncerConsole::open("p", admin, soon());
        return true;
      } catch (const CannotConnect&) {
        continue;
      }
    }
    return false;
  }
};

TEST_F(PgBouncerProcessFacts, B3_ASessionPoolIsPausedOnlyOnceItsClientLeaves) {
  start({{"pool_mode", "session"}});
  auto idle = client();
  idle.execute(Sql("SELECT 1"), soon());
  auto pausing = console();
  pausing.send_pause("shop", soon());
  EXPECT_THROW(pausing.receive_tag(Deadline::after(500ms)), DeadlinePassed);
  pausing.close();
  idle.close();
  const auto patience = Deadline::after(5s);
  while (!console().sessions("shop", soon()).empty() && !patience.has_passed()) std::this_thread::sleep_for(5ms);
  EXPECT_TRUE(console().sessions("shop", soon()).empty());
}

TEST_F(PgBouncerProcessFacts, B3_FastCloseLetsASessionPoolBePausedAndItsClientGo) {
  start({{"pool_mode", "session"}});
  auto idle = client();
  idle.execute(Sql("SELECT 1"), soon());
  auto pausing = console();
  pausing.send_pause("shop", soon());
  EXPECT_THROW(pausing.receive_tag(Deadline::after(300ms)), DeadlinePassed);
  auto other = console();
  other.set("server_fast_close", "1", soon());
  other.connection().execute(Sql("RECONNECT shop"), soon());
  const auto patience = Deadline::after(5s);
  while (!other.sessions("shop", soon()).empty() && !patience.has_passed()) std::this_thread::sleep_for(5ms);
  EXPECT_TRUE(other.sessions("shop", soon()).empty());
  EXPECT_TRUE(is_paused());
  auto again = console();
  again.send_pause("shop", soon());
  EXPECT_EQ(again.receive_tag(soon()), "PAUSE");
  EXPECT_ANY_THROW(idle.query(Sql("SELECT 1"), Deadline::after(1s))) << "whoever was there is told to leave, or waits";
}

TEST_F(PgBouncerProcessFacts, B4_CancellingAPendingGlobalPauseResumesEverybody) {
  start();
  auto blocker = open_transaction();
  auto pausing = console();
  pausing.connection().send(Sql("PAUSE"), soon());
  std::this_thread::sleep_for(100ms);
  {
    auto held = client();
    EXPECT_THROW(held.query(Sql("SELECT 1"), Deadline::after(500ms)), DeadlinePassed);
  }
  cancel(pausing);
  std::this_thread::sleep_for(200ms);
  auto session = client();
  EXPECT_EQ(server_of(session), "blue") << "nobody has said RESUME";
  blocker.execute(Sql("COMMIT"), soon());
}

TEST_F(PgBouncerProcessFacts, B4_CancellingThePauseOfADatabaseDoesNothing) {
  start();
  auto blocker = open_transaction();
  auto pausing = console();
  pausing.send_pause("shop", soon());
  while (!is_paused()) std::this_thread::sleep_for(1ms);
  cancel(pausing);
  std::this_thread::sleep_for(200ms);
  EXPECT_TRUE(is_paused());
  pausing.close();
  blocker.execute(Sql("COMMIT"), soon());
  console().resume("shop", soon());
}

TEST_F(PgBouncerProcessFacts, B6_WhoIsBusyIsSaidByServersAndNotByClients) {
  start();
  auto idle = client();
  idle.execute(Sql("SELECT 1"), soon());
  pause();
  auto one = console();
  const auto clients = one.connection().query(Sql("SHOW CLIENTS"), soon());
  const int state = PQfnumber(clients.native(), "state"), database = PQfnumber(clients.native(), "database");
  const bool has_idle = pgbouncer_version(one.version(soon())) >= 12500;
  for (int row = 0; row < PQntuples(clients.native()); ++row) {
    if (std::string(PQgetvalue(clients.native(), row, database)) != "shop") continue;
    EXPECT_STREQ(PQgetvalue(clients.native(), row, state), has_idle ? "idle" : "active");
  }
  EXPECT_TRUE(one.sessions("shop", soon()).empty());
}

TEST_F(PgBouncerProcessFacts, B11_TheTimeoutsOfClientsRunDuringAPause) {
  start({{"query_wait_timeout", "1"}});
  auto waiting = client();
  waiting.execute(Sql("SELECT 1"), soon());
  pause();
  const auto began = Deadline::Clock::now();
  EXPECT_ANY_THROW(waiting.query(Sql("SELECT 1"), Deadline::after(10s)));
  EXPECT_LT(Deadline::Clock::now() - began, 8s);
  EXPECT_TRUE(is_paused());
}

TEST_F(PgBouncerProcessFacts, B12_DisableStopsNewClientsOnlyAndKillLeavesThePause) {
  start();
  auto known = client();
  EXPECT_EQ(server_of(known), "blue");
  auto one = console();
  one.connection().execute(Sql("DISABLE shop"), soon());
  EXPECT_EQ(server_of(known), "blue");
  EXPECT_THROW(client(), Error);
  one.connection().execute(Sql("ENABLE shop"), soon());
  one.connection().execute(Sql("KILL shop"), soon());
  EXPECT_TRUE(is_paused());
  EXPECT_ANY_THROW(known.query(Sql("SELECT 1"), Deadline::after(2s)));
  one.resume("shop", soon());
  auto again = client();
  EXPECT_EQ(server_of(again), "blue");
}

TEST_F(PgBouncerProcessFacts, B16_TwoClientsObtainTheSameAdvisoryLock) {
  start({{"default_pool_size", "1"}});
  auto one = client(), two = client();
  for (auto* session : {&one, &two})
    EXPECT_EQ(session->query(Sql("SELECT pg_try_advisory_lock(4711)::text"), soon()).one_row(1).text(0), "true");
}

// What copies a role to green has to carry its verifier over as it is.
TEST_F(PgBouncerProcessFacts, B17_AScramVerifierLetsTheClientInOnlyWhereTheServerHasTheSame) {
  start();
  auto on_blue = test::admin(pair_.blue(), "postgres"), on_green = test::admin(pair_.green(), "postgres");
  const auto verifier = test::value(on_blue, "SELECT rolpassword FROM pg_authid WHERE rolname = 'app'");
  test::run(on_green, "ALTER ROLE app PASSWORD 'sandbox-app'");  // the same password, salted anew
  const auto users = pooler_->dir() / "userlist.txt";
  write(users, replaced(read(users), "\"app\" \"sandbox-app\"", "\"app\" \"" + verifier + "\""));
  reload_anyway(console());
  {
    auto session = client();
    EXPECT_EQ(server_of(session), "blue");
  }
  write(pooler_->ini(), rerouted_file());
  reload_anyway(console());
  EXPECT_THROW(
      {
        auto session = client();
        server_of(session);
      },
      Error);
  test::run(on_green, "ALTER ROLE app PASSWORD '" + verifier + "'");
  console().set("server_login_retry", "0", soon());
  auto session = client();
  EXPECT_EQ(server_of(session), "green");
}

// Up to 1.24 a second process neither fails nor says so to who started it: a port number is no evidence. 1.25 ends.
TEST_F(PgBouncerProcessFacts, B20_ASecondProcessOnATakenPortServesItsOwnSocketOnly) {
  start();
  const fs::path dir = pair_.dir() / "second";
  auto second = start_on_same_port(dir);
  if (pgbouncer_version(console().version(soon())) >= 12500) {
    EXPECT_TRUE(second.wait_end(Deadline::after(10s)));
    fs::remove_all(dir);
    return;
  }
  ASSERT_TRUE(comes_up(by_socket(dir)));
  EXPECT_TRUE(second.is_running());
  EXPECT_EQ(socket_dir(by_socket(dir)), dir.string());
  EXPECT_EQ(socket_dir(by_port()), pooler_->dir().string()) << "the port leads to the older one";
  second.stop(SIGTERM, soon());
  fs::remove_all(dir);
}

TEST_F(PgBouncerProcessFacts, B14_WithReuseportAPortLeadsToARandomProcessAndASocketToOne) {
  start({{"so_reuseport", "1"}});
  const fs::path dir = pair_.dir() / "sibling";
  auto sibling = start_on_same_port(dir);
  ASSERT_TRUE(comes_up(by_socket(dir)));
  bool is_first_met = false, is_second_met = false;
  for (int i = 0; i < 60 && !(is_first_met && is_second_met); ++i) {
    const auto met = socket_dir(by_port());
    is_first_met |= met == pooler_->dir().string();
    is_second_met |= met == dir.string();
  }
  EXPECT_TRUE(is_first_met && is_second_met);
  for (int i = 0; i < 5; ++i) EXPECT_EQ(socket_dir(by_socket(dir)), dir.string());
  sibling.stop(SIGTERM, soon());
  fs::remove_all(dir);
}

TEST_F(PgBouncerProcessFacts, TheConsoleSpeaksTheSimpleProtocolOnly) {
  start();
  auto one = console();
  PGresult* answer = PQexecParams(one.connection().native(), "SHOW VERSION", 0, nullptr, nullptr, nullptr, nullptr, 0);
  EXPECT_NE(PQresultStatus(answer), PGRES_TUPLES_OK);
  PQclear(answer);
}

TEST_F(PgBouncerProcessFacts, AClientWaitsForATargetThatIsDownAndIsServedOnceItIsPointedBack) {
  start({{"server_login_retry", "1"}});
  auto waiting = client();
  EXPECT_EQ(server_of(waiting), "blue");
  pause();
  const std::string good = read(pooler_->ini());
  write(pooler_->ini(), replaced(good, "port=5432", "port=9"));
  reload_anyway(console());
  console().resume("shop", soon());
  std::thread mending([&] {
    std::this_thread::sleep_for(1500ms);
    write(pooler_->ini(), good);
    reload_anyway(console());
  });
  EXPECT_EQ(server_of(waiting), "blue") << "no error in the meantime";
  mending.join();
}

// The console of last resort: user pgbouncer from the process' own user, whoever admin_users names.
TEST_F(PgBouncerProcessFacts, ThePoolersOwnUserMayAlwaysAskItsSocket) {
  if (!fs::exists("/usr/bin/psql")) GTEST_SKIP() << "needs psql, to come as the pooler's user";
  start();
  write(pooler_->ini(), replaced(read(pooler_->ini()), "admin_users = ", "stats_users = "));
  reload_anyway(console());
  const auto answer = run_tool({ServerUser().argv({"/usr/bin/psql", "-X", "-h", pooler_->dir().string(), "-p", std::to_string(pooler_->port()), "-U",
                                                   "pgbouncer", "pgbouncer", "-c", "RELOAD"}),
                                {},
                                {}},
                               soon());
  EXPECT_EQ(answer.exit_code, 0) << answer.errors;
}

// From 1.19 on.
TEST_F(PgBouncerProcessFacts, B2_ShowStateTellsOfAGlobalPause) {
  start();
  auto one = console();
  if (pgbouncer_version(one.version(soon())) < 11900) GTEST_SKIP() << "this PgBouncer has no SHOW STATE; --pgbouncer names a newer one";
  EXPECT_FALSE(one.is_globally_held(soon()));
  one.connection().execute(Sql("PAUSE"), soon());
  EXPECT_TRUE(one.is_globally_held(soon()));
  one.connection().execute(Sql("RESUME"), soon());
}

// From 1.23 on. 1.25 lets the database go on all the same, but not those of a global pause.
TEST_F(PgBouncerProcessFacts, B13_AProcessThatWaitsForItsClientsToLeaveRefusesAGlobalResume) {
  start();
  auto one = console();
  if (pgbouncer_version(one.version(soon())) < 12300) GTEST_SKIP() << "this PgBouncer ends at once; --pgbouncer names a newer one";
  auto known = client();
  EXPECT_EQ(server_of(known), "blue");
  pause();
  one.connection().execute(Sql("SHUTDOWN WAIT_FOR_CLIENTS"), soon());
  EXPECT_THROW(one.connection().execute(Sql("RESUME"), soon()), Error);
}

// From 1.23 on a pooler lets replication through.
TEST_F(PgBouncerProcessFacts, B15_AReplicationConnectionIsInTheWayOfAPauseAndIsNamed) {
  start();
  auto one = console();
  if (pgbouncer_version(one.version(soon())) < 12300) GTEST_SKIP() << "this PgBouncer lets no replication through; --pgbouncer names a newer one";
  auto on_blue = test::admin(pair_.blue(), "postgres");
  test::run(on_blue, "ALTER ROLE app REPLICATION");
  auto replication = Connection::open_plain(pooler_->client("app", "shop").with("replication", "database"), {"replication", "client", false, {}}, soon());
  replication.query(Sql("IDENTIFY_SYSTEM"), soon());
  test::run(on_blue, "ALTER ROLE app NOREPLICATION");
  const auto sessions = one.sessions("shop", soon());
  EXPECT_TRUE(std::ranges::any_of(sessions, &PooledSession::is_replication));
  try {
    require_no_replication(one, "p", {"shop"}, soon());
    ADD_FAILURE() << "accepted";
  } catch (const Refused& error) {
    EXPECT_EQ(error.id(), "pooler.replication");
    EXPECT_NE(std::string(error.what()).find("of app"), std::string::npos) << error.what();
  }
  auto pausing = console();
  pausing.send_pause("shop", soon());
  EXPECT_THROW(pausing.receive_tag(Deadline::after(500ms)), DeadlinePassed);
  replication.close();
  const auto patience = Deadline::after(5s);
  while (!one.sessions("shop", soon()).empty() && !patience.has_passed()) std::this_thread::sleep_for(5ms);
  EXPECT_TRUE(one.sessions("shop", soon()).empty());
}

}  // namespace
}  // namespace verdigris
