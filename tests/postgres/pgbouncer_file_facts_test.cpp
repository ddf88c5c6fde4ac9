// What the driver believes about how PgBouncer reads its files (faults B7, B9; operator.md 8.1), seen on the installed
// version: it is why the included file is written first, why RELOAD is read back, and why a probe is made.
#include <csignal>
#include <filesystem>

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

class PgBouncerFileFacts : public PgBouncerFacts {
 protected:
  fs::path ini() const { return pooler_->ini(); }
  std::string line_of(PostgresServer& server) const {
    return "shop = host=" + server.dir().string() + " port=" + std::to_string(server.port()) + " dbname=shop\n";
  }
  std::string target() const { return console().database("shop", soon()).target.host; }
  std::string blue() const { return pair_.blue().dir().string(); }
  std::string green() const { return pair_.green().dir().string(); }
  bool is_known(const std::string& alias) const {
    for (const auto& each : console().databases(soon()))
      if (each.alias == alias) return true;
    return false;
  }
  // Databases that left the file go in the process' own round.
  bool goes_away(const std::string& alias) const {
    for (const auto patience = Deadline::after(3s); !patience.has_passed(); std::this_thread::sleep_for(10ms))
      if (!is_known(alias)) return true;
    return false;
  }
  static int backend_of(Connection& session) {
    return std::stoi(session.query(Sql("SELECT pg_backend_pid()::text"), soon()).one_row(1).text(0));
  }
};

TEST_F(PgBouncerFileFacts, B7_AnEntryThatIsMissingAtReloadLosesItsClientsAndItsPause) {
  start();
  auto session = client();
  EXPECT_EQ(server_of(session), "blue");
  pause();
  const std::string good = read(ini());
  write(ini(), replaced(good, line_of(pair_.blue()), ""));
  reload_anyway(console());
  ASSERT_TRUE(goes_away("shop"));
  EXPECT_ANY_THROW(session.query(Sql("SELECT 1"), Deadline::after(2s))) << "its client is gone with it";
  write(ini(), good);
  reload_anyway(console());
  EXPECT_FALSE(is_paused()) << "put back, it is not what it was";
  auto again = client();
  EXPECT_EQ(server_of(again), "blue");
}

TEST_F(PgBouncerFileFacts, B9_AMissingOrUnreadableFileLeavesWhatRuns) {
  start();
  auto session = client();
  const std::string good = read(ini());
  fs::rename(ini(), ini().string() + ".away");
  reload_anyway(console());
  EXPECT_EQ(target(), blue()) << "missing";
  fs::rename(ini().string() + ".away", ini());
  if (::geteuid() == 0) {
    fs::permissions(ini(), fs::perms::none);
    ASSERT_EQ(::chown(ini().c_str(), 0, 0), 0);
    reload_anyway(console());
    EXPECT_EQ(target(), blue()) << "unreadable";
    EXPECT_EQ(console().config(soon())["pool_mode"], "transaction");
  }
  EXPECT_EQ(server_of(session), "blue");
}

TEST_F(PgBouncerFileFacts, B9_AnEmptyFileLeavesWhatRuns) {
  start();
  auto session = client();
  const std::string good = read(ini());
  write(ini(), "");
  reload_anyway(console());
  std::this_thread::sleep_for(1s);  // a database that was lost would be gone by then
  EXPECT_EQ(target(), blue());
  EXPECT_EQ(console().config(soon())["pool_mode"], "transaction");
  EXPECT_EQ(server_of(session), "blue");
  write(ini(), good);
}

// It is why such lists are refused (pooler.host-list).
TEST_F(PgBouncerFileFacts, B18_AnyChangeOfAListOfHostsDropsItsServers) {
  start();
  const std::string good = read(ini());
  const auto with_hosts = [&](const std::string& hosts) { return replaced(good, "host=" + blue() + " ", "host=" + hosts + " "); };
  write(ini(), with_hosts(blue() + "," + blue()));
  reload_anyway(console());
  EXPECT_EQ(target(), blue() + "," + blue());
  auto session = client();
  const int backend = backend_of(session);
  reload_anyway(console());
  EXPECT_EQ(backend_of(session), backend) << "read again, it is the same";
  write(ini(), with_hosts(blue() + "," + blue() + "," + blue()));
  reload_anyway(console());
  EXPECT_NE(backend_of(session), backend);
}

TEST_F(PgBouncerFileFacts, B9_SighupWithTheRepairedFileHealsAProcessThatShutsConsolesOut) {
  start();
  const std::string good = read(ini());
  write(ini(), replaced(good, "pool_mode", "no_such_setting = 1\npool_mode"));
  reload_anyway(console());
  EXPECT_THROW(console().reload(soon()), Error) << "admin_users stands below the fault";
  write(ini(), good);
  ASSERT_EQ(::kill(pooler_->pid(), SIGHUP), 0);
  const auto is_healed = [&] {
    try {
      console().reload(soon());
      return true;
    } catch (const Error&) {
      return false;
    }
  };
  const auto patience = Deadline::after(3s);
  while (!is_healed() && !patience.has_passed()) std::this_thread::sleep_for(10ms);
  EXPECT_TRUE(is_healed());
}

TEST_F(PgBouncerFileFacts, AnIncludeThatIsMissingKeepsWhatRunsAtReloadAndIsFatalAtStart) {
  start();
  const std::string good = read(ini());
  write(ini(), replaced(good, line_of(pair_.blue()), "") + "%include " + (pooler_->dir() / "gone.ini").string() + "\n");
  reload_anyway(console());
  std::this_thread::sleep_for(1s);  // a database that was lost would be gone by then
  EXPECT_EQ(target(), blue());
  auto session = client();
  EXPECT_EQ(server_of(session), "blue");
  pooler_->kill_hard();
  EXPECT_THROW(pooler_->start(Deadline::after(5s)), Error);
  write(ini(), good);
  pooler_->start();
}

TEST_F(PgBouncerFileFacts, ADatabaseOfAnIncludedFileIsOneLikeAnyOther) {
  start();
  const auto included = pooler_->dir() / "more.ini";
  write(included, "; ours\n[databases]\n" + line_of(pair_.blue()));
  write(ini(), replaced(read(ini()), line_of(pair_.blue()), "") + "%include " + included.string() + "\n");
  auto session = client();
  const int backend = backend_of(session);
  reload_anyway(console());
  EXPECT_EQ(backend_of(session), backend) << "the same entry in another file disturbs nobody";
  write(included, "; ours\n[databases]\n" + line_of(pair_.green()));
  reload_anyway(console());
  EXPECT_EQ(target(), green());
}

TEST_F(PgBouncerFileFacts, OfTwoDefinitionsTheLastReadWins) {
  start();
  const std::string good = read(ini());
  write(ini(), replaced(good, line_of(pair_.blue()), line_of(pair_.blue()) + line_of(pair_.green())));
  reload_anyway(console());
  EXPECT_EQ(target(), green());
  const auto included = pooler_->dir() / "more.ini";
  write(included, "[databases]\n" + line_of(pair_.blue()));
  write(ini(), read(ini()) + "%include " + included.string() + "\n");
  reload_anyway(console());
  EXPECT_EQ(target(), blue());
}

TEST_F(PgBouncerFileFacts, OneMoreDatabaseDisturbsNobodyAndLeavesWithItsLine) {
  start();
  auto session = client();
  const int backend = backend_of(session);
  const std::string good = read(ini());
  for (int round = 0; round < 3; ++round) {
    write(ini(), replaced(good, "[databases]\n", "[databases]\nverdigris_probe_1 = host=127.0.0.1 port=1 dbname=x\n"));
    reload_anyway(console());
    EXPECT_TRUE(is_known("verdigris_probe_1")) << "seen as soon as RELOAD has answered";
    EXPECT_EQ(backend_of(session), backend);
    write(ini(), good);
    reload_anyway(console());
    EXPECT_TRUE(goes_away("verdigris_probe_1"));
    EXPECT_EQ(backend_of(session), backend);
  }
}

TEST_F(PgBouncerFileFacts, AFileBehindALinkIsReadAtEachReload) {
  start();
  const auto real = pooler_->dir() / "real.ini";
  const auto other = pooler_->dir() / "other.ini";
  write(other, rerouted_file());
  fs::rename(ini(), real);
  fs::create_symlink(real, ini());
  reload_anyway(console());
  EXPECT_EQ(target(), blue());
  fs::remove(ini());
  fs::create_symlink(other, ini());
  EXPECT_EQ(target(), blue()) << "until RELOAD";
  reload_anyway(console());
  EXPECT_EQ(target(), green());
}

TEST_F(PgBouncerFileFacts, AChangedHostIsFollowedByTheSameClientWithoutAPause) {
  start();
  auto session = client();
  EXPECT_EQ(server_of(session), "blue");
  write(ini(), rerouted_file());
  console().reload(soon());
  EXPECT_EQ(server_of(session), "green") << "idle server connections are recycled";
}

TEST_F(PgBouncerFileFacts, B10_ReloadWithoutAPauseLeavesOpenTransactionsOnTheOldServer) {
  start();
  auto old_one = open_transaction();
  write(ini(), rerouted_file());
  console().reload(soon());
  auto new_one = client();
  EXPECT_EQ(server_of(new_one), "green");
  EXPECT_EQ(server_of(old_one), "blue") << "two servers are in use at once";
  old_one.execute(Sql("COMMIT"), soon());
}

TEST_F(PgBouncerFileFacts, AForeignEditIsReadByTheNextReloadOfAnybody) {
  start();
  write(ini(), replaced(read(ini()), "max_client_conn = 200", "max_client_conn = 150"));
  EXPECT_EQ(console().config(soon())["max_client_conn"], "200") << "until then nothing shows it";
  console().reload(soon());
  EXPECT_EQ(console().config(soon())["max_client_conn"], "150");
}

}  // namespace
}  // namespace verdigris
