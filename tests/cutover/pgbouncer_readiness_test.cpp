// What the PgBouncer driver refuses before any client is held, and what it recognises all the same.
#include <set>
#include <thread>

#include "controller/process.hpp"
#include "controller/sandbox/server_user.hpp"
#include "controller/steps/move_traffic.hpp"
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

TEST_F(PgBouncerDriver, RefusesSessionPools) {
  start({.settings = {{"pool_mode", "session"}}});
  EXPECT_EQ(refusal(settings()), "pooler.session-pool");
  write(poolers_[0].ini(), replaced(read(poolers_[0].ini()), "dbname=shop", "dbname=shop pool_mode=transaction"));
  console(0).reload(soon());
  auto only_a = settings();
  only_a.instances.resize(1);
  EXPECT_EQ(refusal(only_a), "accepted") << "the database's own mode decides";
}

TEST_F(PgBouncerDriver, RefusesALoginThatDoesNotEndButNotThatThereIsAlwaysAnother) {
  start({.settings = {{"server_lifetime", "0"}}});  // each connection serves one transaction
  auto only_a = settings();
  only_a.instances.resize(1);
  {
    const auto through = poolers_[0].client("app", "shop");
    Clients clients({through, through, through, through, through, through});
    int looks = 0, looks_with_login = 0;
    auto look = console(0);
    for (const auto end = Deadline::after(1s); !end.has_passed(); ++looks)
      if (look.pools("shop", soon()).logins_in_flight > 0) ++looks_with_login;
    EXPECT_GT(looks_with_login, looks / 3) << "there are not many logins here";
    for (int i = 0; i < 3; ++i) EXPECT_EQ(refusal(only_a), "accepted");
    clients.stop();
    EXPECT_EQ(clients.errors(), 0);
  }
  pair_.blue().freeze();
  std::thread newcomer([&] {
    auto session = Connection::open_plain(poolers_[0].client("app", "shop"), {"client", "late", false, {}}, soon());
    session.execute(Sql("SELECT 1"), soon());
  });
  auto look = console(0);
  for (const auto end = soon(); look.pools("shop", soon()).logins_in_flight == 0 && !end.has_passed();)
    std::this_thread::sleep_for(1ms);
  std::string text;
  const auto said = refusal(only_a, &text);
  pair_.blue().thaw();
  newcomer.join();
  EXPECT_EQ(said, "pooler.login-in-flight");
  EXPECT_NE(text.find("\"shop\" has a server login under way that does not end"), std::string::npos) << text;
}

TEST_F(PgBouncerDriver, RefusesAListOfHosts) {
  start();
  const auto& ini = poolers_[0].ini();
  const std::string good = read(ini), host = blue().host;
  write(ini, replaced(good, "host=" + host + " ", "host=" + host + "," + host + " "));
  console(0).reload(soon());
  std::string text;
  EXPECT_EQ(refusal(settings(), &text), "pooler.host-list");
  EXPECT_NE(text.find("\"shop\" has a list of hosts"), std::string::npos) << text;
  write(ini, good);
  console(0).reload(soon());
  EXPECT_EQ(refusal(settings()), "accepted");
}

TEST_F(PgBouncerDriver, RefusesABudgetThatATimeoutOfThePoolerEnds) {
  for (const char* key : {"query_wait_timeout", "query_timeout", "client_login_timeout"}) {
    poolers_.clear();
    start({.settings = {{key, "5"}}});
    std::string text;
    EXPECT_EQ(refusal(settings(), &text), "pooler.budget");
    EXPECT_NE(text.find(key), std::string::npos) << text;
    EXPECT_NE(text.find("5000 ms"), std::string::npos) << text;
    PgBouncerTraffic traffic(settings());
    EXPECT_EQ(error_of([&] { traffic.require_ready(blue(), 4999ms, soon()); }), "accepted");
  }
}

TEST_F(PgBouncerDriver, RefusesAProcessThatReadsAnotherFile) {
  start();
  auto crossed = settings();
  std::swap(crossed.instances[0].file, crossed.instances[1].file);
  EXPECT_EQ(refusal(crossed), "pooler.identity");
  auto twice = settings();
  twice.instances[1] = twice.instances[0];
  EXPECT_EQ(refusal(twice), "pooler.same-process");
  auto by_port = settings();  // the loopback port leads to the same process and the same file
  by_port.instances[0].admin = by_port.instances[0].admin.with("host", "127.0.0.1");
  EXPECT_EQ(refusal(by_port), "accepted");
}

TEST_F(PgBouncerDriver, FollowsARelativeFileNameThroughTheProcess) {
  start();
  poolers_[0].stop();
  const auto& dir = poolers_[0].dir();
  write(dir / "more.ini", "[databases]\nmore = host=/tmp\n");  // relative as well
  const std::string file = "%include more.ini\n" + read(poolers_[0].ini());
  write(poolers_[0].ini(), file);
  const std::vector<std::string> argv{"/usr/bin/env", "-C", dir.string(), "pgbouncer", "-q", "pgbouncer.ini"};
  auto process =
      ChildProcess::start({.argv = ServerUser().argv(argv), .environment = {{"PATH", "/usr/sbin:/usr/bin"}}});
  for (const auto deadline = soon(); !std::filesystem::exists(dir / "pgbouncer.pid") && !deadline.has_passed();)
    std::this_thread::sleep_for(5ms);
  std::this_thread::sleep_for(100ms);
  std::string text;
  EXPECT_EQ(refusal(settings(), &text), "accepted") << text;
  process.stop(SIGTERM, soon());
}

// The database's entry names no host: the pooler looks in the directory of its own sockets.
TEST_F(PgBouncerDriver, KnowsTheServerOfAnEntryWithoutHost) {
  start();
  const auto& pooler = poolers_[0];
  std::filesystem::create_symlink(pair_.blue().dir() / ".s.PGSQL.5432", pooler.dir() / ".s.PGSQL.5432");
  write(pooler.ini(), replaced(read(pooler.ini()), "host=" + blue().host + " ", ""));
  console(0).reload(soon());
  auto only_a = settings();
  only_a.instances.resize(1);
  Clients clients({pooler.client("app", "shop")});
  ASSERT_TRUE(clients.wait_for("blue", 10));
  PgBouncerTraffic traffic(only_a);
  traffic.require_ready({pooler.dir().string() + "/", "5432", "shop"}, 5s, soon());
  traffic.stage(green(), soon());
  traffic.pause(soon());
  traffic.point_to(green(), soon());
  traffic.resume(soon());
  EXPECT_EQ(traffic.state(soon())[0].target, green());
  EXPECT_TRUE(clients.wait_for("green", 10));
}

TEST_F(PgBouncerDriver, RefusesAProcessThatDoesNotRunWhatItsFileSays) {
  start();
  const auto file = poolers_[0].ini();
  const std::string good = read(file);
  const std::pair<std::string, const char*> edits[] = {
      // The file says another server: a no-op RELOAD would move clients.
      {replaced(good, "host=" + blue().host, "host=" + green().host), "pooler.target"},
      {replaced(good, "max_client_conn = 200", "max_client_conn = 210"), "pooler.stale-config"},
      {replaced(good, "[databases]\n", "[databases]\nextra = host=/tmp\n"), "pooler.stale-config"},
      // PgBouncer stops at these lines, answers RELOAD, and would never read the one that we edit.
      {replaced(good, "[databases]\n", "[databases]\nbroken = hots=/tmp\n"), "pooler.stale-config"},
      {"[pgbouncer]\nmax_clients = 5\n" + good, "pooler.unknown-setting"},
      {replaced(good, "[databases]\n", "[databases]\nbroken = host=/tmp # old\n"), "pooler.ini-comment"},
  };
  for (const auto& [bytes, id] : edits) {
    write(file, bytes);
    EXPECT_EQ(refusal(settings()), id) << bytes.substr(0, 80);
    EXPECT_EQ(read(file), bytes);
    write(file, good);
    console(0).reload(soon());
    EXPECT_EQ(refusal(settings()), "accepted");
  }
}

TEST_F(PgBouncerDriver, RefusesAnotherTargetThanTheServingServer) {
  start();
  PgBouncerTraffic traffic(settings());
  std::string text;
  EXPECT_EQ(error_of([&] { traffic.require_ready(green(), 5s, soon()); }, &text), "pooler.target");
  EXPECT_NE(text.find("pooler a: "), std::string::npos) << text;
  EXPECT_NE(text.find("pooler b: "), std::string::npos) << text;
}

TEST_F(PgBouncerDriver, RefusesAConsoleThatCannotAct) {
  start({.settings = {{"stats_users", "app"}}});
  auto onlooker = settings();
  onlooker.instances[0].admin = onlooker.instances[0].admin.with("user", "app");
  EXPECT_EQ(refusal(onlooker), "pooler.console-rights");
  auto server = settings();  // something else answers
  server.instances[0].admin = pair_.blue().conninfo("verdigris", "postgres");
  EXPECT_EQ(refusal(server), "pooler.not-pgbouncer");
  auto unknown = settings();
  unknown.databases = {"nothing"};
  EXPECT_EQ(refusal(unknown), "pooler.alias-absent");
  poolers_[1].kill_hard();
  EXPECT_EQ(refusal(settings()), "pooler.unreachable");
}

TEST_F(PgBouncerDriver, RefusesADatabaseThatIsPausedOrDisabledAlready) {
  start();
  auto other = console(1);
  other.connection().execute(Sql("PAUSE shop"), soon());
  EXPECT_EQ(refusal(settings()), "pooler.paused");
  other.resume("shop", soon());
  other.connection().execute(Sql("DISABLE shop"), soon());
  EXPECT_EQ(refusal(settings()), "pooler.disabled");
}

// Behind a pause there is none. Clients go on meanwhile; what is asked for is asked when they have.
TEST_F(PgBouncerDriver, AMoveIsOverOnlyOnceNoServerConnectionLeadsToTheOldSide) {
  start();
  const auto leads_to = [&](std::size_t which) {
    auto one = console(which);
    const auto servers = one.connection().query(Sql("SHOW SERVERS"), soon());
    std::set<std::string> ports;
    for (int row = 0; row < PQntuples(servers.native()); ++row)
      if (std::string(PQgetvalue(servers.native(), row, PQfnumber(servers.native(), "database"))) == "shop")
        ports.emplace(PQgetvalue(servers.native(), row, PQfnumber(servers.native(), "port")));
    return ports;
  };
  auto report = open_transaction();
  Clients clients(everywhere(1));
  ASSERT_TRUE(clients.wait_for("blue", 20));
  EXPECT_EQ(leads_to(1), std::set<std::string>{blue().port});
  PgBouncerTraffic traffic(settings());
  traffic.require_ready(blue(), 5s, soon());
  traffic.stage(green(), soon());
  MoveTraffic step(traffic, green(), MoveTraffic::Earlier::are_gone);
  std::string text;
  EXPECT_EQ(error_of([&] { step.apply(soon()); }, &text), "pooler.left-behind");
  EXPECT_EQ(text.find("pooler b: backend "), 0U) << text;
  EXPECT_NE(text.find("(report) still leads to where clients were before"), std::string::npos) << text;
  EXPECT_TRUE(clients.wait_for("green", 20)) << "others are kept waiting";
  EXPECT_TRUE(std::holds_alternative<Ready>(step.check(soon())));
  report.execute(Sql("COMMIT"), soon());
  step.apply(soon());
  EXPECT_TRUE(std::holds_alternative<Done>(step.check(soon())));
  EXPECT_TRUE(clients.wait_for("green", 20));
  for (const std::size_t which : {0U, 1U}) EXPECT_EQ(leads_to(which), std::set<std::string>{green().port}) << which;
  clients.stop();
  EXPECT_EQ(clients.errors(), 0);
}

}  // namespace
}  // namespace verdigris
