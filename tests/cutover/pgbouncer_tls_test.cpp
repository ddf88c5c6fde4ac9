// A pooler that speaks TLS to its servers: what RELOAD does to their connections there, and that a look at the pooler costs
// no client an error.
#include <string>
#include <tuple>
#include <vector>

#include "bench/tls.hpp"
#include "bench/world.hpp"
#include "controller/sandbox/roles.hpp"
#include "tests/support/pgbouncer_driver.hpp"

namespace verdigris::test {
namespace {

using namespace std::chrono_literals;

class PgBouncerTls : public testing::Test {
 protected:
  void SetUp() override {
    NEED_POSTGRES(15);
    NEED_POSTGRES(17);
    world_.emplace(true);
    auto postgres = world_->session("blue", "postgres");
    create_application_roles(postgres, soon());
    run(postgres, "CREATE DATABASE shop");
  }

  void start(const std::vector<std::pair<std::string, std::string>>& more = {}) {
    auto settings = world_->tls()->pooler_settings();
    settings.insert(settings.end(), more.begin(), more.end());
    pooler_.emplace(PgBouncerProcess::create(world_->dir() / "pooler", world_->conninfo("blue", "app", "shop"), {.settings = settings}));
    pooler_->start();
  }

  Conninfo client() const { return pooler_->client("app", "shop"); }
  std::string refusal(std::string* text = nullptr) {
    PoolerSettings settings;
    settings.instances.push_back({"pooler", pooler_->admin(), pooler_->ini()});
    settings.databases = {"shop"};
    PgBouncerTraffic traffic(settings);
    const auto blue = world_->conninfo("blue", "app", "shop");
    return error_of([&] { traffic.require_ready({blue.value("host"), blue.value("port"), "shop", "blue"}, 5s, soon()); }, text);
  }

  std::optional<bench::World> world_;
  std::optional<PgBouncerProcess> pooler_;
};

TEST_F(PgBouncerTls, ReloadMakesEveryServerConnectionAnew) {
  start();
  auto session = Connection::open_plain(client(), {"client", "one", false, {}}, soon());
  const std::string who = "SELECT pg_backend_pid() || ' ' || ssl FROM pg_stat_ssl WHERE pid = pg_backend_pid()";
  const auto before = value(session, who);
  EXPECT_TRUE(before.ends_with(" true")) << before;
  EXPECT_EQ(value(session, who), before);
  PgBouncerConsole::open("pooler", pooler_->admin(), soon()).reload(soon());
  EXPECT_NE(value(session, who), before);
}

TEST_F(PgBouncerTls, ALookLeavesServerConnectionsAlone) {
  start();
  auto session = Connection::open_plain(client(), {"client", "one", false, {}}, soon());
  const auto before = value(session, "SELECT pg_backend_pid()");
  EXPECT_EQ(refusal(), "accepted");
  EXPECT_EQ(value(session, "SELECT pg_backend_pid()"), before) << "it was told to RELOAD";
}

TEST_F(PgBouncerTls, ALookCostsNoClientAnError) {
  start({{"server_lifetime", "0"}});  // each connection serves one transaction: there is always a login under way
  Clients clients({client(), client(), client(), client(), client(), client()});
  ASSERT_TRUE(clients.wait_for("blue", 5));
  for (int i = 0; i < 10; ++i) EXPECT_EQ(refusal(), "accepted");
  ASSERT_TRUE(clients.wait_for("blue", 20));
  clients.stop();
  EXPECT_EQ(clients.errors(), 0);
}

TEST_F(PgBouncerTls, WhatTheFileSaysOtherwiseIsSeenWithoutReload) {
  start({{"log_connections", "1"}, {"query_wait_timeout", "120.0"}, {"max_client_conn", "300"}});
  EXPECT_EQ(refusal(), "accepted");
  const auto good = read(pooler_->ini());
  for (const auto& [from, to, said] : std::vector<std::tuple<std::string, std::string, std::string>>{
           {"log_connections = 1", "log_connections = 0", "log_connections is \"0\" in the file and \"1\" in the process"},
           {"max_client_conn = 300", "max_client_conn = 301", "max_client_conn is \"301\" in the file and \"300\" in the process"},
           {"[databases]\n", "[databases]\nlate = host=127.0.0.1\n", "database \"late\" is unknown to the process"}}) {
    write(pooler_->ini(), replaced(good, from, to));
    std::string text;
    EXPECT_EQ(refusal(&text), "pooler.stale-config") << to;
    EXPECT_NE(text.find(said), std::string::npos) << text;
  }
  write(pooler_->ini(), good);
  EXPECT_EQ(refusal(), "accepted");
}

}  // namespace
}  // namespace verdigris::test
