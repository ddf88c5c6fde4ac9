// The users of adopted databases are tried on the other server by a real PgBouncer before anybody waits: what works now
// and fails there is refused, what cannot be tried is said, and no trial is left behind.
#include "tests/support/adopted_poolers.hpp"

namespace verdigris {
namespace {

namespace fs = std::filesystem;
using namespace std::chrono_literals;
using test::Clients;
using test::error_of;
using test::read;
using test::replaced;
using test::soon;
using test::write;

using PoolerLogins = test::AdoptedPoolers;

// Of the pool's user, by the process itself, on the server that nobody uses yet: its password and pg_hba.conf there.
TEST_F(PoolerLogins, AreTriedOnTheOtherServerBeforeAnybodyWaits) {
  start();
  Clients clients(everywhere(1));
  ASSERT_TRUE(clients.wait_for("blue", 20));
  EXPECT_EQ(PgBouncerTraffic(settings()).try_logins(green(), soon()), "") << "only in a file of ours";
  for (std::size_t i : {0U, 1U}) adopt(i);
  const std::string as_adopted = read(included());
  const auto tried = [&](std::string* text = nullptr) {
    PgBouncerTraffic traffic(adopted_settings());
    std::string said;
    const auto id = error_of([&] { said = traffic.try_logins(green(), soon()); }, text);
    EXPECT_EQ(read(included()), as_adopted) << "a probe was left";
    return id == "accepted" ? said : id;
  };
  EXPECT_EQ(tried(), "logins tried there: app");
  auto to_green = test::admin(pair_.green(), "postgres");
  test::run(to_green, "ALTER DATABASE shop CONNECTION LIMIT 0");
  EXPECT_EQ(tried(), "logins tried there: app") << "closed behind the password";
  const auto verifier = test::value(to_green, "SELECT rolpassword FROM pg_authid WHERE rolname = 'app'");
  test::run(to_green, "ALTER ROLE app PASSWORD 'another'");
  std::string text;
  EXPECT_EQ(tried(&text), "pooler.target-login");
  EXPECT_NE(text.find(": app can log in where clients are, and not on "), std::string::npos) << text;
  EXPECT_NE(text.find("password authentication failed"), std::string::npos) << text;
  test::run(to_green, "ALTER ROLE app PASSWORD '" + verifier + "'");
  const auto hba = pair_.green().dir() / "data/pg_hba.conf";
  const std::string admitted = read(hba);
  write(hba, replaced(admitted, "local all all scram-sha-256\n", ""));
  test::run(to_green, "SELECT pg_reload_conf(), pg_sleep(0.3)");
  EXPECT_EQ(tried(&text), "pooler.target-login");
  EXPECT_NE(text.find("no pg_hba.conf entry"), std::string::npos) << text;
  write(hba, admitted);
  test::run(to_green, "SELECT pg_reload_conf(), pg_sleep(0.3)");
  test::run(to_green, "ALTER DATABASE shop CONNECTION LIMIT -1");
  clients.stop();
  EXPECT_EQ(clients.errors(), 0);
}

// A user whom nobody lets in anywhere, who tried once: its pool stays. Lines that a killed trial left do not move along.
TEST_F(PoolerLogins, OnlyWhatWorksNowIsAskedForAndNoTrialIsLeft) {
  start();
  adopt();
  auto only_a = adopted_settings();
  only_a.instances.resize(1);
  const auto users = poolers_[0].dir() / "userlist.txt";
  write(users, read(users) + "\"nobodys\" \"nobodys\"\n");
  write(included(), replaced(read(included()), " dbname=shop", ""));  // PgBouncer's default is the name
  console(0).reload(soon());
  Clients clients({poolers_[0].client("app", "shop")});
  ASSERT_TRUE(clients.wait_for("blue", 5));
  const auto passfile = poolers_[0].dir() / "nobodys.pgpass";
  write(passfile, "*:*:*:nobodys:nobodys\n");
  fs::permissions(passfile, fs::perms::owner_read | fs::perms::owner_write);
  const auto nobodys = poolers_[0].client("app", "shop").with("user", "nobodys").with("passfile", passfile.string());
  EXPECT_EQ(error_of([&] { Connection::open_plain(nobodys, {"pooler", "nobody", false, {}}, soon()); }), "cannot-connect");
  const auto said = PgBouncerTraffic(only_a).try_logins(green(), soon());
  EXPECT_TRUE(said.starts_with("logins tried there: app; not to be tried: nobodys (")) << said;
  const std::string as_adopted = read(included());
  write(included(), replaced(as_adopted, "shop =", "verdigris_probe_0bad_t0 = host=/x port=1 dbname=x user=app\nshop ="));
  console(0).reload(soon());
  PgBouncerTraffic traffic(only_a);
  traffic.stage(green(), soon());
  traffic.point_to(green(), soon());
  EXPECT_EQ(read(included()).find("verdigris_probe"), std::string::npos) << read(included());
  clients.stop();
}

// A pooler that has the passwords from elsewhere says "wrong password" of each probe.
TEST_F(PoolerLogins, OneThatThePoolerCannotTryIsNoReasonToRefuse) {
  start();
  adopt();
  auto only_a = adopted_settings();
  only_a.instances.resize(1);
  Clients clients({poolers_[0].client("app", "shop")});
  ASSERT_TRUE(clients.wait_for("blue", 5));
  auto to_blue = test::admin(pair_.blue(), "postgres");
  const auto verifier = test::value(to_blue, "SELECT rolpassword FROM pg_authid WHERE rolname = 'app'");
  const auto users = poolers_[0].dir() / "userlist.txt";
  write(users, replaced(read(users), "\"sandbox-app\"", "\"" + verifier + "\""));
  console(0).reload(soon());
  EXPECT_EQ(PgBouncerTraffic(only_a).try_logins(green(), soon()), "not to be tried: app (server login failed: wrong password type)");
  ASSERT_TRUE(clients.wait_for("blue", 5));
  clients.stop();
  EXPECT_EQ(clients.errors(), 0);
}

}  // namespace
}  // namespace verdigris
