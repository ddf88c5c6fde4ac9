// Answers of consoles as they were recorded (psql -A), read by our parser: one client in a transaction, one idle, two server
// connections. The version after 1.18 is untested but for these: other columns, another order, clients that are "idle".
#include "controller/pgbouncer_replies.hpp"

#include <gtest/gtest.h>

#include <sstream>

namespace verdigris {
namespace {

struct Replies {
  const char *version, *databases, *pools, *servers, *clients, *config, *state;
};

// PgBouncer 1.18.0, as tests/postgres meets it.
constexpr Replies k118{
    .version = R"(
version
PgBouncer 1.18.0
)",
    .databases = R"(
name|host|port|database|force_user|pool_size|min_pool_size|reserve_pool|pool_mode|max_connections|current_connections|paused|disabled
pgbouncer||6999|pgbouncer|pgbouncer|2|0|0|statement|0|0|0|0
shop|/run/pg|5999|postgres|app|20|0|0||0|2|0|0
)",
    .pools = R"(
database|user|cl_active|cl_waiting|cl_active_cancel_req|cl_waiting_cancel_req|sv_active|sv_active_cancel|sv_being_canceled|sv_idle|sv_used|sv_tested|sv_login|maxwait|maxwait_us|pool_mode
pgbouncer|pgbouncer|1|0|0|0|0|0|0|0|0|0|0|0|0|statement
shop|app|2|0|0|0|1|0|0|1|0|0|0|0|0|transaction
)",
    .servers = R"(
type|user|database|state|addr|port|local_addr|local_port|connect_time|request_time|wait|wait_us|close_needed|ptr|link|remote_pid|tls|application_name
S|app|shop|active|unix|5999|unix|6999|2026-11-29 12:57:30 UTC|2026-11-29 12:57:30 UTC|0|0|0|0x55716f3dfea0|0x55716f3d87c0|26345||psql
S|app|shop|idle|unix|5999|unix|6999|2026-11-29 12:57:30 UTC|2026-11-29 12:57:30 UTC|0|0|0|0x55716f3e0100||26346||idler
)",
    .clients = R"(
type|user|database|state|addr|port|local_addr|local_port|connect_time|request_time|wait|wait_us|close_needed|ptr|link|remote_pid|tls|application_name
C|pgbouncer|pgbouncer|active|unix|6999|unix|6999|2026-11-29 12:57:31 UTC|2026-11-29 12:57:31 UTC|0|0|0|0x55716f3d8c80||26367||psql
C|app|shop|active|unix|6999|unix|6999|2026-11-29 12:57:30 UTC|2026-11-29 12:57:30 UTC|1|36331|0|0x55716f3d87c0|0x55716f3dfea0|26337||psql
C|app|shop|active|unix|6999|unix|6999|2026-11-29 12:57:30 UTC|2026-11-29 12:57:30 UTC|0|0|0|0x55716f3d8a20||26338||idler
)",
    .config = R"(
key|value|default|changeable
conffile|p.ini||yes
pool_mode|transaction|session|yes
query_wait_timeout|120|120|yes
server_login_retry|15|15|yes
)",
    .state = ""};

// PgBouncer 1.25.2, built from its sources and asked once; no server test runs against it here.
constexpr Replies k125{
    .version = R"(
version
PgBouncer 1.25.2
)",
    .databases = R"(
name|host|port|database|force_user|pool_size|min_pool_size|reserve_pool_size|server_lifetime|pool_mode|load_balance_hosts|max_connections|current_connections|max_client_connections|current_client_connections|paused|disabled
pgbouncer||6999|pgbouncer|pgbouncer|2|0|0|3600|statement||0|0|0|1|0|0
shop|/run/pg|5999|postgres|app|20|0|0|3600|||0|2|0|2|0|0
)",
    .pools = R"(
database|user|cl_active|cl_waiting|cl_active_cancel_req|cl_waiting_cancel_req|sv_active|sv_active_cancel|sv_being_canceled|sv_idle|sv_used|sv_tested|sv_login|maxwait|maxwait_us|pool_mode|load_balance_hosts
pgbouncer|pgbouncer|1|0|0|0|0|0|0|0|0|0|0|0|0|statement|
shop|app|2|0|0|0|1|0|0|1|0|0|0|0|0|transaction|
)",
    .servers = R"(
type|user|database|replication|state|addr|port|local_addr|local_port|connect_time|request_time|wait|wait_us|close_needed|ptr|link|remote_pid|tls|application_name|prepared_statements|id
S|app|shop|none|active|unix|5999|unix|6999|2026-11-29 12:57:21 UTC|2026-11-29 12:57:21 UTC|0|0|0|0x56376b316770|0x56376b30d590|26248||psql|0|2
S|app|shop|none|idle|unix|5999|unix|6999|2026-11-29 12:57:21 UTC|2026-11-29 12:57:21 UTC|0|0|0|0x56376b316a58||26249||idler|0|4
)",
    .clients = R"(
type|user|database|replication|state|addr|port|local_addr|local_port|connect_time|request_time|wait|wait_us|close_needed|ptr|link|remote_pid|tls|application_name|prepared_statements|id
C|pgbouncer|pgbouncer|none|idle|unix|6999|unix|6999|2026-11-29 12:57:22 UTC|2026-11-29 12:57:22 UTC|0|0|0|0x56376b30db60||26261||psql|0|8
C|app|shop|none|active|unix|6999|unix|6999|2026-11-29 12:57:21 UTC|2026-11-29 12:57:21 UTC|1|339044|0|0x56376b30d590|0x56376b316770|26241||psql|0|1
C|app|shop|none|idle|unix|6999|unix|6999|2026-11-29 12:57:21 UTC|2026-11-29 12:57:21 UTC|0|0|0|0x56376b30d878||26242||idler|0|3
)",
    .config = R"(
key|value|default|changeable
conffile|p.ini||yes
pool_mode|transaction|session|yes
query_wait_timeout|120|120|yes
server_login_retry|15|15|yes
)",
    .state = R"(
key|value
active|yes
paused|no
suspended|no
)"};

std::vector<std::string> cells_of(const std::string& line) {
  std::vector<std::string> cells(1);
  for (const char c : line) {
    if (c == '|') cells.emplace_back();
    else cells.back() += c;
  }
  return cells;
}

// What libpq would have made of it.
Result answer(const std::string& recorded) {
  PGresult* result = PQmakeEmptyPGresult(nullptr, PGRES_TUPLES_OK);
  std::istringstream lines(recorded);
  std::string line;
  for (int row = -1; std::getline(lines, line);) {
    if (line.empty()) continue;
    auto cells = cells_of(line);
    if (row < 0) {
      std::vector<PGresAttDesc> columns;
      for (auto& cell : cells) columns.push_back({cell.data(), 0, 0, 0, 25, -1, -1});
      EXPECT_EQ(PQsetResultAttrs(result, static_cast<int>(columns.size()), columns.data()), 1);
    } else {
      for (std::size_t i = 0; i < cells.size(); ++i)
        EXPECT_EQ(PQsetvalue(result, row, static_cast<int>(i), cells[i].data(), static_cast<int>(cells[i].size())), 1);
    }
    ++row;
  }
  return Result(result);
}

// The columns the other way round: order says nothing.
std::string turned(const std::string& recorded) {
  std::istringstream lines(recorded);
  std::string line, out;
  while (std::getline(lines, line)) {
    auto cells = cells_of(line);
    for (std::size_t i = cells.size(); i-- > 0;) out += cells[i] + (i == 0 ? "\n" : "|");
  }
  return out;
}

void expect_understood(const Replies& replies, bool is_turned) {
  const auto reply = [&](const char* recorded) { return answer(is_turned ? turned(recorded) : recorded); };
  const auto databases = databases_in(reply(replies.databases));
  ASSERT_EQ(databases.size(), 2U);
  EXPECT_EQ(databases[1].alias, "shop");
  EXPECT_EQ(databases[1].target, (Endpoint{"/run/pg", "5999", "postgres"}));
  EXPECT_EQ(databases[1].pool_mode, "") << "that of the settings";
  EXPECT_EQ(databases[0].pool_mode, "statement");
  EXPECT_FALSE(databases[1].is_paused || databases[1].is_disabled);
  EXPECT_EQ(databases[1].definition.find("current_"), std::string::npos) << "what changes by itself is not the definition";
  auto sessions = sessions_in(reply(replies.servers), "shop");
  ASSERT_EQ(sessions.size(), 2U);
  EXPECT_EQ(sessions[0].state, "active");
  EXPECT_EQ(sessions[1].state, "idle");
  EXPECT_GT(sessions[0].backend_pid, 1);
  add_clients(sessions, reply(replies.clients));
  EXPECT_TRUE(sessions[0].client.starts_with("app pid ")) << sessions[0].client;
  EXPECT_TRUE(sessions[0].client.ends_with(" (psql)")) << sessions[0].client;
  EXPECT_EQ(sessions[1].client, "");
  EXPECT_TRUE(sessions_in(reply(replies.servers), "other").empty());
  const auto pools = pools_in(reply(replies.pools), "shop");
  EXPECT_EQ(pools.clients, 2);
  EXPECT_EQ(pools.waiting_clients, 0);
  EXPECT_EQ(pools.servers, 2);
  EXPECT_EQ(pools.busy_servers, 1);
  EXPECT_EQ(pools.logins_in_flight, 0);
  EXPECT_EQ(pools.modes, std::vector<std::string>{"transaction"});
  const auto config = config_in(reply(replies.config));
  EXPECT_EQ(config.at("pool_mode"), "transaction");
  EXPECT_EQ(config.at("server_login_retry"), "15");
  EXPECT_EQ(config.at("conffile"), "p.ini") << "as it was typed at the start";
}

TEST(PgBouncerReplies, Of118AreUnderstood) {
  EXPECT_EQ(pgbouncer_version(version_in(answer(k118.version))), 11800);
  expect_understood(k118, false);
}

TEST(PgBouncerReplies, Of125UntestedOtherwiseAreUnderstood) {
  EXPECT_EQ(pgbouncer_version(version_in(answer(k125.version))), 12502);
  expect_understood(k125, false);
  EXPECT_FALSE(is_held_in(answer(k125.state)));
  EXPECT_TRUE(is_held_in(answer("key|value\nactive|no\npaused|yes\nsuspended|no\n")));
  EXPECT_TRUE(is_held_in(answer("key|value\nactive|no\npaused|no\nsuspended|yes\n")));
}

TEST(PgBouncerReplies, AreUnderstoodInAnyOrderOfColumns) {
  for (const auto& replies : {k118, k125}) expect_understood(replies, true);
}

TEST(PgBouncerReplies, AColumnThatAVersionLacksIsEmptyAndARowMoreIsNoTrouble) {
  const auto databases = databases_in(answer("name|host|port|database\nshop|/run/pg|5432|shop\n"));
  ASSERT_EQ(databases.size(), 1U);
  EXPECT_FALSE(databases[0].is_paused);
  EXPECT_EQ(databases[0].pool_mode, "");
  EXPECT_EQ(pools_in(answer("database|user|sv_idle\nshop|app|3\nother|app|5\n"), "shop").servers, 3);
}

TEST(PgBouncerReplies, ClientsAreServedByAConnectionThatIsLoggedInAndLeadsToWhereTheyAreLedNow) {
  const std::vector<PoolLoad> none;
  PooledDatabase shop, other;
  shop.alias = "shop", other.alias = "other", shop.pool_size = other.pool_size = 2;
  PoolLoad pool;
  pool.alias = "shop", pool.user = "app";
  PooledSession there;
  there.alias = "shop", there.user = "app", there.state = "idle";
  EXPECT_EQ(service_in(none, {}, shop), Service::served) << "no pool is there";
  EXPECT_EQ(service_in({pool}, {there}, shop), Service::served);
  EXPECT_EQ(service_in({pool}, {}, other), Service::served);
  EXPECT_EQ(service_in({pool}, {}, shop), Service::unasked) << "also without clients: a login that fails takes them with it";
  auto old = there;
  old.is_to_be_closed = true;
  EXPECT_EQ(service_in({pool}, {old}, shop), Service::unasked) << "in the middle of something where they were before";
  auto others = there;
  others.user = "report";
  EXPECT_EQ(service_in({pool}, {others}, shop), Service::unasked);
  auto login = there;
  login.state = "new";  // so both versions call it
  EXPECT_TRUE(is_busy(login.state));
  pool.logins_in_flight = 1;
  EXPECT_EQ(service_in({pool}, {login, old}, shop), Service::waiting) << "it may be turned away";
  EXPECT_EQ(service_in({pool}, {login, there}, shop), Service::served);
  pool.logins_in_flight = 0, pool.waiting_clients = 1;
  EXPECT_EQ(service_in({pool}, {}, shop), Service::waiting);
  EXPECT_EQ(service_in({pool}, {old}, shop), Service::waiting) << "one could be made, and is not";
  EXPECT_EQ(service_in({pool}, {old, old}, shop), Service::unasked) << "the pool is full of such";
  auto served = pool;
  served.user = "report", served.waiting_clients = 0;
  EXPECT_EQ(service_in({served, pool}, {others}, shop), Service::waiting) << "each pool has a login of its own";
}

TEST(PgBouncerReplies, ReplicationThroughThePoolerIsSeenWhereTheVersionTells) {
  std::string text = k125.servers;
  for (const auto& session : sessions_in(answer(text), "shop")) EXPECT_FALSE(session.is_replication());
  for (const auto& session : sessions_in(answer(k118.servers), "shop")) EXPECT_FALSE(session.is_replication()) << "none get through";
  text.replace(text.find("|none|"), 6, "|logical|");
  const auto sessions = sessions_in(answer(text), "shop");
  ASSERT_EQ(sessions.size(), 2U);
  EXPECT_TRUE(sessions[0].is_replication());
  EXPECT_EQ(sessions[0].replication, "logical");
  EXPECT_FALSE(sessions[1].is_replication());
}

TEST(PgBouncerReplies, VersionsWithAKnownFaultAreNamed) {
  const auto fault = [](const char* text) { return known_fault_of(pgbouncer_version(text)); };
  EXPECT_EQ(fault("PgBouncer 1.18.0"), "may end clients with \"bad client state\"");
  EXPECT_EQ(fault("PgBouncer 1.23.0"), "may crash after RELOAD");
  for (const char* sound : {"PgBouncer 1.19.0", "PgBouncer 1.19.1", "PgBouncer 1.22.1", "PgBouncer 1.23.1", "PgBouncer 1.25.2", "PgBouncer 1.18.1"})
    EXPECT_EQ(fault(sound), "") << sound;
}

}  // namespace
}  // namespace verdigris
