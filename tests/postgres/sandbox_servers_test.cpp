#include <gtest/gtest.h>
#include <signal.h>

#include "replication/errors.hpp"
#include "tests/support/cluster.hpp"

namespace verdigris::test {
namespace {

using namespace std::chrono_literals;

bool is_gone(pid_t pid) {
  return ::kill(pid, 0) != 0;
}

class EachMajor : public testing::TestWithParam<int> {};

TEST_P(EachMajor, StartsAnswersStopsAndLeavesNothing) {
  NEED_POSTGRES(GetParam());
  const ScratchDir scratch;
  pid_t pid = 0;
  {
    auto server =
        PostgresServer::create(GetParam(), scratch.path() / "s", {.name = "blue", .bindirs = toolchain_bindirs()});
    server.start();
    pid = server.pid();
    auto session = Connection::open(server.conninfo("postgres", "postgres"), {"blue", "test", false, {}}, soon());
    EXPECT_EQ(session.major(), GetParam());
    EXPECT_EQ(value(session, "SHOW wal_level"), "logical");
    EXPECT_EQ(value(session, "SHOW fsync"), "on");
    EXPECT_EQ(value(session, "SHOW listen_addresses"), "");
    EXPECT_EQ(value(session, "SHOW server_encoding"), "UTF8");
    server.stop_fast();
    EXPECT_FALSE(server.is_running());
    server.start();
    pid = server.pid();
  }
  EXPECT_TRUE(is_gone(pid));
  EXPECT_TRUE(std::filesystem::is_empty(scratch.path()));
}

INSTANTIATE_TEST_SUITE_P(Majors, EachMajor, testing::Values(13, 14, 15, 16, 17, 18),
                         [](const auto& server) { return "Postgres" + std::to_string(server.param); });

TEST(SandboxServers, PairHasDifferentSystemsAndRolesThatLogIn) {
  NEED_POSTGRES(15);
  Pair& pair = shared_pair(15, 15);
  auto blue = admin(pair.blue());
  auto green = admin(pair.green());
  const std::string system = "SELECT system_identifier FROM pg_catalog.pg_control_system()";
  EXPECT_NE(value(blue, system), value(green, system));
  Server server = side(pair.blue(), "blue");
  EXPECT_NO_THROW(Server("blue", "shop", pair.blue().conninfo("verdigris_repl", "shop")).open_replication(soon()));
  EXPECT_THROW(Connection::open(pair.blue().conninfo("app", "shop"), {"blue", "test", false, {}}, soon()),
               CannotConnect);
}

TEST(SandboxServers, SharedPairComesWithEmptyDatabasesEachTime) {
  NEED_POSTGRES(15);
  {
    Pair& pair = shared_pair(15, 15);
    auto green = admin(pair.green());
    run(green, "CREATE TABLE public.left_over ()");
    auto blue = admin(pair.blue());
    run(blue, "SELECT pg_create_logical_replication_slot('left', 'pgoutput')");
    green.execute(Sql(R"(
        CREATE SUBSCRIPTION sub CONNECTION {} PUBLICATION none
        WITH (create_slot = false, slot_name = 'left', copy_data = false))",
                      Literal(pair.blue().conninfo("verdigris_repl", "shop").text())),
                  soon());
  }
  Pair& pair = shared_pair(15, 15);
  auto blue = admin(pair.blue());
  auto green = admin(pair.green());
  EXPECT_EQ(value(green, "SELECT count(*) FROM pg_class WHERE relname = 'left_over'"), "0");
  EXPECT_EQ(value(blue, "SELECT count(*) FROM pg_replication_slots"), "0");
  EXPECT_EQ(value(green, "SELECT count(*) FROM pg_subscription"), "0");
}

TEST(SandboxServers, FrozenServerAnswersAgainWhenThawed) {
  NEED_POSTGRES(15);
  Pair& pair = shared_pair(15, 15);
  auto session = admin(pair.blue());
  pair.blue().freeze();
  session.send(Sql("SELECT 1"), soon());
  EXPECT_THROW(
      Connection::open(pair.blue().conninfo("verdigris", "shop"), {"blue", "test", false, {}}, Deadline::after(100ms)),
      CannotConnect);
  pair.blue().thaw();
  EXPECT_EQ(session.receive(soon()).one_row(1).integer(0), 1);
}

TEST(SandboxServers, ImmediateStopIsRecoveredFrom) {
  NEED_POSTGRES(15);
  Pair& pair = shared_pair(15, 15);
  pair.blue().stop_immediate();
  EXPECT_FALSE(pair.blue().is_running());
  pair.blue().start();
  auto session = admin(pair.blue());
  EXPECT_EQ(value(session, "SELECT pg_is_in_recovery()"), "f");
}

TEST(SandboxServers, SocketPathThatIsTooLongIsRefusedBeforeAnythingStarts) {
  const ScratchDir scratch;
  const auto dir = scratch.path() / std::string(100, 'd');
  try {
    PostgresServer::create(15, dir, {.name = "blue"});
    FAIL() << "created";
  } catch (const Refused& error) {
    EXPECT_EQ(error.id(), "sandbox.socket-path");
  }
  EXPECT_FALSE(std::filesystem::exists(dir));
}

TEST(SandboxServers, MajorThatIsMissingIsRefused) {
  EXPECT_THROW(require_postgres(7), Refused);
}

TEST(SandboxPooler, PassesClientsOnAndLeavesNothing) {
  NEED_POSTGRES(15);
  Pair& pair = shared_pair(15, 15);
  pid_t pid = 0;
  std::filesystem::path dir;
  {
    auto pooler = pair.pooler("pooler");
    pid = pooler.pid();
    dir = pooler.dir();
    auto client = Connection::open_plain(pooler.client("app", "shop"), {"pooler", "test", false, {}}, soon());
    EXPECT_EQ(value(client, "SELECT current_user || '@' || current_database()"), "app@shop");
    auto console = Connection::open_plain(pooler.admin(), {"pooler", "test", false, {}}, soon());
    EXPECT_GE(PQntuples(run(console, "SHOW SERVERS").native()), 1);
    pooler.kill_hard();
    EXPECT_FALSE(pooler.is_running());
    pooler.start();
    EXPECT_TRUE(pooler.is_running());
    pid = pooler.pid();
  }
  EXPECT_TRUE(is_gone(pid));
  EXPECT_FALSE(std::filesystem::exists(dir));
}

}  // namespace
}  // namespace verdigris::test
