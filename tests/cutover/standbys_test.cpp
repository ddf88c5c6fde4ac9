// Physical standbys of the source (real ones, by pg_basebackup): unknown ones are refused by name, those that the playbook
// names have the fence before the line. Promoted, such a one takes no write; behind blue's address it is recognised.
#include <csignal>
#include <thread>

#include "controller/sandbox/server_user.hpp"
#include "replication/fence.hpp"
#include "tests/support/pgbouncer_driver.hpp"
#include "tests/support/shared_shop.hpp"

namespace verdigris::test {
namespace {

using namespace std::chrono_literals;
namespace fs = std::filesystem;

bool can_make_standbys(const PostgresServer& server) { return fs::exists(server.binaries().bindir / "pg_basebackup"); }

class StandbyOfBlue {
 public:
  StandbyOfBlue(const PostgresServer& primary, const std::string& name, int port) : bindir_(primary.binaries().bindir), dir_(primary.dir() / name), port_(port) {
    user_.make_directory(dir_);
    const auto data = (dir_ / "data").string();
    const auto copied = run_tool({user_.argv({(bindir_ / "pg_basebackup").string(), "-h", primary.dir().string(), "-p", std::to_string(primary.port()),
                                              "-U", "verdigris", "-D", data, "-R", "-X", "stream", "-c", "fast"}), {}, {}}, Deadline::after(60s));
    if (copied.exit_code != 0) throw Error("test", "pg_basebackup: " + copied.errors);
    write(dir_ / "data/postgresql.auto.conf", read(dir_ / "data/postgresql.auto.conf") + "port = " + std::to_string(port) + "\nunix_socket_directories = '" +
                                                  dir_.string() + "'\ncluster_name = '" + name + "'\n");
    process_.emplace(ChildProcess::start({.argv = user_.argv({(bindir_ / "postgres").string(), "-D", data}, SIGQUIT),
                                          .environment = {{"HOME", dir_.string()}},
                                          .output = dir_ / "postgres.log",
                                          .death_signal = SIGQUIT}));
    for (const auto deadline = soon(); ask("SELECT EXISTS (SELECT FROM pg_stat_wal_receiver WHERE status = 'streaming')") != "t"; std::this_thread::sleep_for(20ms))
      if (deadline.has_passed()) throw Error("test", "the standby does not stream: " + read(dir_ / "postgres.log"));
  }
  ~StandbyOfBlue() {
    if (process_) process_->stop(SIGQUIT, Deadline::after(15s));
    fs::remove_all(dir_);
  }
  Conninfo conninfo(const std::string& user) const {
    return Conninfo().with("host", dir_.string()).with("port", std::to_string(port_)).with("user", user).with("dbname", "shop");
  }
  Connection session() const { return Connection::open_plain(conninfo("verdigris"), {"standby", "test", false, {}}, soon()); }
  std::string ask(const std::string& sql) const {
    try {
      auto on = session();
      return value(on, sql);
    } catch (const CannotConnect&) {
      return "";
    }
  }
  pid_t receiver() const { return std::stoi(ask("SELECT pid FROM pg_stat_wal_receiver")); }
  void promote() const { ASSERT_EQ(ask("SELECT pg_promote()"), "t"); }
  const fs::path& dir() const { return dir_; }
  int port() const { return port_; }

 private:
  fs::path bindir_, dir_;
  int port_;
  ServerUser user_;
  std::optional<ChildProcess> process_;
};

class Standbys : public SharedShopWithPlaybook {
 protected:
  void SetUp() override {
    SharedShopWithPlaybook::SetUp();
    if (!IsSkipped() && !can_make_standbys(shop_->server("blue"))) GTEST_SKIP() << "no pg_basebackup beside PostgreSQL 15";
  }
  void TearDown() override {
    SharedShopWithPlaybook::TearDown();
    if (!IsSkipped()) {
      auto blue = admin(shop_->server("blue"));
      run(blue, "SELECT pg_drop_replication_slot(slot_name) FROM pg_replication_slots WHERE slot_type = 'physical' AND NOT active");
    }
    if (!IsSkipped() && shop_->serving() == "green") {
      EXPECT_EQ(shop_->cross("rollback").exit_code, 0);
    }
  }
  void name(const std::string& promotable) {
    write(shop_->playbook(), replaced(original_, "max_pause: 10s", "max_pause: 4s, standbys: { promotable: [" + promotable + "] }"));
  }
  void expect_refused(const std::string& word, const std::string& id = "fence.standbys") {
    const auto answer = shop_->command({"switch", "--confirm", "shop"});
    EXPECT_EQ(answer.exit_code, 3) << answer.json << answer.errors;
    EXPECT_NE(answer.json.value("reason", "").find(word), std::string::npos) << answer.json;
    EXPECT_NE(answer.json.value("reason", "").find(id), std::string::npos) << answer.json;
  }
  // Until SIGCONT.
  ChildProcess switch_stopped_before_clients_are_held(Environment more = {}) {
    more.emplace_back("VERDIGRIS_STOP", "after:apply:stand_ready");
    auto crossing = ChildProcess::start({.argv = shop_->program({"switch", "--confirm", "shop"}),
                                         .environment = shop_->with_points(more),
                                         .output = shop_->dir() / "switch.out",
                                         .errors = shop_->dir() / "switch.err"});
    shop_->wait_for_point("after:apply:stand_ready");
    return crossing;
  }
  // From now on blue's address leads there.
  void put_behind_blues_address(const StandbyOfBlue& standby) {
    const auto& blue = shop_->server("blue");
    write(shop_->playbook(), replaced(read(shop_->playbook()), "blue: { conninfo: \"host=" + blue.dir().string() + " port=" + std::to_string(blue.port()),
                                      "blue: { conninfo: \"host=" + standby.dir().string() + " port=" + std::to_string(standby.port())));
  }
};

TEST_F(Standbys, UnknownOnesAreRefusedByName) {
  const StandbyOfBlue standby(shop_->server("blue"), "db1b", 5436);
  expect_refused("db1b");
  name("db1x");
  expect_refused("db1b");
  name("db1b, db1c");
  expect_refused("db1c");
  name("db1b");
  const auto tried = shop_->command({"switch", "--dry-run"});
  EXPECT_EQ(tried.exit_code, 0) << tried.json << tried.errors;
}

// One that is away has a slot, and comes back one day.
TEST_F(Standbys, ASlotThatNobodyReadsIsRefusedByNameUnlessItIsAnsweredFor) {
  auto blue = admin(shop_->server("blue"));
  run(blue, "SELECT pg_create_physical_replication_slot('db1c', true)");
  expect_refused("db1c", "fence.standby-slots");
  write(shop_->playbook(), replaced(original_, "max_pause: 10s", "max_pause: 4s, standbys: { away: [db1c] }"));
  const auto tried = shop_->command({"switch", "--dry-run"});
  EXPECT_EQ(tried.exit_code, 0) << tried.json << tried.errors;
}

TEST_F(Standbys, OneThatDoesNotGetTheFenceInTimeUndoesTheSwitch) {
  const StandbyOfBlue standby(shop_->server("blue"), "db1b", 5436);
  name("db1b");
  Clients clients({shop_->pooler().client("app", "shop")});
  ASSERT_TRUE(clients.wait_for("blue", 5));
  auto crossing = switch_stopped_before_clients_are_held();
  const auto receiver = standby.receiver();
  ::kill(receiver, SIGSTOP);
  crossing.send(SIGCONT);
  const bool has_ended = crossing.wait_end(Deadline::after(60s));
  ::kill(receiver, SIGCONT);
  ASSERT_TRUE(has_ended);
  const auto said = read(shop_->dir() / "switch.out");
  EXPECT_EQ(crossing.exit_code(), 5) << said;
  EXPECT_NE(said.find("fence.standby-behind"), std::string::npos) << said;
  EXPECT_NE(said.find("db1b"), std::string::npos) << said;
  EXPECT_TRUE(shop_->scene().is_blue_open);
  EXPECT_TRUE(clients.wait_for("blue", 5));
  clients.stop();
  EXPECT_EQ(clients.errors(), 0);
}

TEST_F(Standbys, PromotedWithTheFenceItTakesNoWriteAndIsRecognised) {
  const StandbyOfBlue standby(shop_->server("blue"), "db1b", 5436);
  name("db1b");
  const auto switched = shop_->command({"switch", "--confirm", "shop"});
  ASSERT_EQ(switched.exit_code, 0) << switched.json << switched.errors;
  standby.promote();
  auto promoted = standby.session();
  EXPECT_EQ(fence_state(promoted, soon()), FenceState::closed);
  EXPECT_EQ(error_of([&] { run(promoted, "INSERT INTO public.ledger_a VALUES (81, 1, 0)"); }), "server-error") << "as a superuser";
  const auto app = standby.conninfo("app").with("passfile", shop_->pooler().passfile().string());
  EXPECT_EQ(error_of([&] { Connection::open_plain(app, {"standby", "app", false, {}}, soon()); }), "cannot-connect");
  const auto records = value(promoted, "SELECT count(*) FROM verdigris.journal");

  put_behind_blues_address(standby);
  for (const auto& command : {std::vector<std::string>{"rollback", "--confirm", "shop"}, {"recover", "--yes"}, {"finish", "--now", "--confirm", "shop"}}) {
    const auto answer = shop_->command(command);
    EXPECT_EQ(answer.exit_code, 6) << command.front() << answer.json << answer.errors;
    EXPECT_NE(answer.errors.find("timeline"), std::string::npos) << command.front() << answer.errors;
  }
  EXPECT_EQ(value(promoted, "SELECT count(*) FROM verdigris.journal"), records) << "something was run there";
  auto green = admin(shop_->server("green"));
  EXPECT_EQ(fence_state(green, soon()), FenceState::open);
}

// What the wait is for: the same, not waited for.
TEST_F(Standbys, PromotedWithoutTheFenceItWouldBeOpenAndRecoverClosesIt) {
  const StandbyOfBlue standby(shop_->server("blue"), "db1b", 5436);
  name("db1b");
  auto crossing = switch_stopped_before_clients_are_held({{"VERDIGRIS_MUTANT", "standbys_not_awaited"}});
  const auto receiver = standby.receiver();
  ::kill(receiver, SIGSTOP);
  crossing.send(SIGCONT);
  const bool has_ended = crossing.wait_end(Deadline::after(60s));
  standby.ask("SELECT pg_promote(false)");
  std::this_thread::sleep_for(500ms);  // it is told to end, and does so before it reads on
  ::kill(receiver, SIGCONT);
  ASSERT_TRUE(has_ended);
  ASSERT_EQ(crossing.exit_code(), 0) << read(shop_->dir() / "switch.err");
  for (const auto deadline = soon(); standby.ask("SELECT NOT pg_is_in_recovery()") != "t"; std::this_thread::sleep_for(20ms))
    ASSERT_FALSE(deadline.has_passed());
  put_behind_blues_address(standby);
  const auto recovered = shop_->command({"recover", "--yes"});
  EXPECT_EQ(recovered.exit_code, 6) << recovered.errors;
  EXPECT_NE(recovered.errors.find("was open and has been closed"), std::string::npos) << recovered.errors;
  auto promoted = standby.session();
  EXPECT_EQ(fence_state(promoted, soon()), FenceState::closed);
}

}  // namespace
}  // namespace verdigris::test
