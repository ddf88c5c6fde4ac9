// Server connections that nobody uses are closed before the pause, and the pooler is left with its own setting whatever
// happens to us.
#include <atomic>
#include <csignal>
#include <thread>

#include "tests/support/pgbouncer_driver.hpp"

namespace verdigris {
namespace {

using namespace std::chrono_literals;
using test::Clients;
using test::PgBouncerDriver;
using test::read;
using test::replaced;
using test::soon;
using test::write;

constexpr int kMany = 12;

class PgBouncerIdle : public PgBouncerDriver {
 protected:
  // So many clients are in a transaction at once that as many server connections stand idle afterwards.
  void fill_pool(std::size_t which) {
    std::vector<Connection> clients;
    for (int i = 0; i < kMany; ++i) {
      clients.push_back(Connection::open_plain(poolers_[which].client("app", "shop"), {"client", "burst", false, {}}, soon()));
      clients.back().query(Sql("BEGIN"), soon());
    }
    for (auto& client : clients) client.query(Sql("COMMIT"), soon());
    ASSERT_GE(servers(which), kMany);
  }
  int servers(std::size_t which) { return console(which).pools("shop", soon()).servers; }
  std::string timeout(std::size_t which) { return console(which).config(soon())["server_idle_timeout"]; }
  std::string pool_size(std::size_t which) { return console(which).config(soon())["default_pool_size"]; }
  void write_setting(std::size_t which, const std::string& line) {
    const auto file = poolers_[which].ini();
    write(file, replaced(read(file), "[pgbouncer]\n", "[pgbouncer]\n" + line + "\n"));
    console(which).reload(soon());
  }
};

TEST_F(PgBouncerIdle, AreClosedBeforeThePauseAndBusyOnesAreNot) {
  start();
  write_setting(1, "server_idle_timeout = 77");
  fill_pool(0);
  fill_pool(1);
  Clients clients(everywhere(1));
  ASSERT_TRUE(clients.wait_for("blue", 20));
  PgBouncerTraffic traffic(settings());
  traffic.require_ready(blue(), 5s, soon());
  traffic.stage(green(), soon());
  traffic.shed_idle(soon());
  // It waits for 0.8 s, and a busy machine may take longer; what it has set goes on working.
  for (int i = 0; i < 100 && servers(0) + servers(1) > 4 + 2; ++i) std::this_thread::sleep_for(50ms);
  EXPECT_LE(servers(0) + servers(1), 4 + 2);
  EXPECT_NE(timeout(0), "600");
  traffic.keep_idle(soon());
  EXPECT_EQ(timeout(0), "600");
  EXPECT_EQ(timeout(1), "77");
  fill_pool(0);
  traffic.shed_idle(soon());
  traffic.pause(soon());
  traffic.move(green(), soon());
  EXPECT_EQ(timeout(0), "600") << "the RELOAD of the move takes it back";
  EXPECT_EQ(timeout(1), "77");
  ASSERT_TRUE(clients.wait_for("green", 20));
  clients.stop();
  EXPECT_EQ(clients.errors(), 0);
  EXPECT_LT(clients.longest(), 2s);
}

TEST_F(PgBouncerIdle, AFreshObjectPutsBackWhatADeadOneSet) {
  start();
  write_setting(0, "server_idle_timeout = 77");
  fill_pool(0);
  {
    PgBouncerTraffic first(settings());
    first.require_ready(blue(), 5s, soon());
    first.shed_idle(soon());
    EXPECT_NE(timeout(0), "77");
  }
  PgBouncerTraffic second(settings());
  second.keep_idle(soon());
  EXPECT_EQ(timeout(0), "77");
  console(0).set("server_idle_timeout", "5", soon());
  second.keep_idle(soon());
  EXPECT_EQ(timeout(0), "5") << "what somebody else has set is not ours to change";
}

// The pooler would open again at once what it closes.
TEST_F(PgBouncerIdle, APoolWithALeastSizeIsLeftAlone) {
  start({.settings = {{"min_pool_size", "3"}}});
  fill_pool(0);
  PgBouncerTraffic traffic(settings());
  traffic.require_ready(blue(), 5s, soon());
  traffic.shed_idle(soon());
  EXPECT_EQ(timeout(0), "600");
  EXPECT_EQ(pool_size(0), "20");
  EXPECT_GE(servers(0), kMany);
}

TEST_F(PgBouncerIdle, ThePoolMakesDoWithWhatItUsesAndGetsItsSizeBack) {
  start({.settings = {{"default_pool_size", "33"}}});
  fill_pool(0);
  fill_pool(1);
  {
    PgBouncerTraffic first(settings());
    first.require_ready(blue(), 5s, soon());
    first.shed_idle(soon());
    EXPECT_EQ(pool_size(0), "2") << "nobody uses any";
    EXPECT_LE(servers(0) + servers(1), 4) << "closed by the time it returns, in well under 0.8 s";
    first.keep_idle(soon());
    EXPECT_EQ(pool_size(0), "33");
    EXPECT_EQ(pool_size(1), "33");
    first.shed_idle(soon());
  }
  EXPECT_EQ(pool_size(1), "2");
  PgBouncerTraffic second(settings());
  second.keep_idle(soon());
  EXPECT_EQ(pool_size(0), "33");
  EXPECT_EQ(pool_size(1), "33") << "what a dead run left is put back to what the file says";
  console(0).set("default_pool_size", "7", soon());
  second.keep_idle(soon());
  EXPECT_EQ(pool_size(0), "7") << "what somebody else has set is not ours to change";
}

TEST_F(PgBouncerIdle, ABusyPoolKeepsRoomForWhatIsOpen) {
  start();
  std::vector<Connection> clients;
  for (int i = 0; i < 9; ++i) {
    clients.push_back(Connection::open_plain(poolers_[0].client("app", "shop"), {"client", "busy", false, {}}, soon()));
    clients.back().query(Sql("BEGIN"), soon());
  }
  PgBouncerTraffic traffic(settings());
  traffic.require_ready(blue(), 5s, soon());
  traffic.shed_idle(soon());
  EXPECT_EQ(pool_size(0), "12") << "nine, and the square root of nine";
  EXPECT_GE(servers(0), 9);
  traffic.keep_idle(soon());
  EXPECT_EQ(pool_size(0), "20");
}

TEST_F(PgBouncerIdle, WhenClientsHaveToWaitForItTheirServersAreGivenBack) {
  start();
  PgBouncerTraffic traffic(settings());
  traffic.require_ready(blue(), 5s, soon());
  // Whether they were given back while all of a burst were waiting; on a busy machine its clients may come too late for it.
  const auto is_given_back = [&] {
    fill_pool(0);
    std::atomic<bool> is_small{false}, is_over{false};
    std::atomic<int> served{0};
    // One looks for all: the first that wait make it give back, and who looks afterwards sees nothing of it any more.
    std::jthread watcher([&] {
      while (!is_small && !is_over) is_small = pool_size(0) != "20";
    });
    std::vector<std::jthread> clients;
    for (int i = 0; i < kMany + 4; ++i)
      clients.emplace_back([&] {
        auto client = Connection::open_plain(poolers_[0].client("app", "shop"), {"client", "late", false, {}}, soon());
        while (!is_small && !is_over) std::this_thread::sleep_for(1ms);
        client.query(Sql("BEGIN"), soon());
        ++served;
        while (!is_over) std::this_thread::sleep_for(1ms);
        client.query(Sql("COMMIT"), soon());
      });
    traffic.shed_idle(soon());
    const bool is_large = pool_size(0) == "20" && timeout(0) == "600";
    for (int i = 0; is_large && i < 200 && served < kMany + 4; ++i) std::this_thread::sleep_for(20ms);
    const bool is_served = served == kMany + 4;
    is_over = true;
    return is_large && is_served;
  };
  bool was_given_back = is_given_back();
  for (int tries = 1; !was_given_back && tries < 5; ++tries) {
    traffic.keep_idle(soon());
    was_given_back = is_given_back();
  }
  EXPECT_TRUE(was_given_back);
}

// Unlike one that is gone it would go on closing connections when it answers again.
TEST_F(PgBouncerIdle, AFrozenPoolerIsReportedAndPutRightWhenItAnswers) {
  start();
  fill_pool(0);
  {
    PgBouncerTraffic first(settings());
    first.require_ready(blue(), 5s, soon());
    first.shed_idle(soon());
  }
  EXPECT_NE(timeout(0), "600");
  ::kill(poolers_[0].pid(), SIGSTOP);
  PgBouncerTraffic second(settings());
  std::string text;
  const auto id = test::error_of([&] { second.keep_idle(soon()); }, &text);
  ::kill(poolers_[0].pid(), SIGCONT);
  EXPECT_EQ(id, "pooler.idle-kept");
  EXPECT_NE(text.find("no answer in time"), std::string::npos) << text;
  second.keep_idle(soon());
  EXPECT_EQ(timeout(0), "600");
}

TEST_F(PgBouncerIdle, APoolerThatIsGoneIsNoError) {
  start();
  fill_pool(0);
  PgBouncerTraffic traffic(settings());
  traffic.require_ready(blue(), 5s, soon());
  traffic.shed_idle(soon());
  poolers_[0].stop();
  EXPECT_NO_THROW(traffic.keep_idle(soon()));
}

}  // namespace
}  // namespace verdigris
