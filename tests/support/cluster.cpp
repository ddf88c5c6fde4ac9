#include "tests/support/cluster.hpp"

#include <cstdlib>
#include <map>

#include "replication/errors.hpp"

namespace verdigris::test {
namespace {

namespace fs = std::filesystem;
using namespace std::chrono_literals;

PostgresServer make_server(int major, const fs::path& dir, const std::string& name, int port,
                           const PairOptions& options) {
  auto settings = options.settings;
  if (options.fsync == Fsync::off) {
    settings.emplace_back("fsync", "off");
    settings.emplace_back("full_page_writes", "off");
  }
  return PostgresServer::create(major, dir / name,
                                {.name = name, .port = port, .settings = settings, .bindirs = toolchain_bindirs()});
}

// A slot or subscription keeps its database from being dropped. Subscriptions are shared objects, but can only be
// dropped from inside their database, and never with the slot on the other side, which may be gone.
void drop_subscriptions(const PostgresServer& server) {
  auto shop = admin(server);
  const Result found = shop.query(Sql(R"(
      SELECT subname FROM pg_catalog.pg_subscription s JOIN pg_catalog.pg_database d ON d.oid = s.subdbid
      WHERE d.datname = 'shop')"),
                                  soon());
  for (const auto& row : found.rows(1)) {
    const Identifier name(row.text(0));
    shop.execute(Sql("ALTER SUBSCRIPTION {} DISABLE", name), soon());
    shop.execute(Sql("ALTER SUBSCRIPTION {} SET (slot_name = NONE)", name), soon());
    shop.execute(Sql("DROP SUBSCRIPTION {}", name), soon());
  }
}

void drop_slots(Connection& postgres) {
  postgres.execute(Sql(R"(
      SELECT pg_catalog.pg_terminate_backend(active_pid) FROM pg_catalog.pg_replication_slots
      WHERE database = 'shop' AND active)"),
                   soon());
  const auto deadline = soon();
  while (value(postgres, "SELECT count(*) FROM pg_catalog.pg_replication_slots WHERE database = 'shop' AND active") !=
         "0")
    if (deadline.has_passed()) throw Error("test", "a slot stays active");
  postgres.execute(Sql(R"(
      SELECT pg_catalog.pg_drop_replication_slot(slot_name) FROM pg_catalog.pg_replication_slots
      WHERE database = 'shop')"),
                   soon());
}

bool has_shop(Connection& postgres) {
  return value(postgres, "SELECT count(*) FROM pg_catalog.pg_database WHERE datname = 'shop'") == "1";
}

void make_roles(const PostgresServer& server) {
  auto bootstrap = Connection::open(server.conninfo("postgres", "postgres"), {"test", "test", false, {}}, soon());
  create_controller_roles(bootstrap, soon());
  create_application_roles(bootstrap, soon());
}

}  // namespace

std::vector<fs::path> toolchain_bindirs() {
  std::vector<fs::path> result;
  for (int major = 13; major <= 18; ++major)
    result.push_back(fs::path(VERDIGRIS_SOURCE_DIR) / ".toolchain/postgres" / std::to_string(major) / "bin");
  return result;
}

bool have_postgres(int major) {
  return find_postgres(major, toolchain_bindirs()).has_value();
}

Pair::Pair(int blue_major, int green_major, const PairOptions& options)
    : blue_(make_server(blue_major, dir_.path(), "blue", 5432, options)),
      green_(make_server(green_major, dir_.path(), "green", 5433, options)) {
  for (auto* server : {&blue_, &green_}) {
    server->start();
    make_roles(*server);
  }
  fresh_databases();
}

void Pair::fresh_databases() {
  for (auto* server : {&green_, &blue_}) {
    auto postgres = admin(*server, "postgres");
    if (has_shop(postgres)) drop_subscriptions(*server);
  }
  for (auto* server : {&green_, &blue_}) {
    auto postgres = admin(*server, "postgres");
    drop_slots(postgres);
    if (has_shop(postgres)) postgres.execute(Sql("DROP DATABASE shop WITH (FORCE)"), soon());
    postgres.execute(Sql("CREATE DATABASE shop TEMPLATE template0"), soon());
  }
}

PgBouncerProcess Pair::pooler(const std::string& name, const PoolerOptions& options) {
  PoolerOptions with_program = options;
  if (const char* other = std::getenv("VERDIGRIS_PGBOUNCER"); other != nullptr && *other != '\0') with_program.program = other;
  auto result = PgBouncerProcess::create(dir() / name, blue_.conninfo("app", "shop"), with_program);
  result.start();
  return result;
}

Pair& shared_pair(int blue_major, int green_major) {
  static std::map<std::pair<int, int>, std::unique_ptr<Pair>> pairs;
  auto& pair = pairs[{blue_major, green_major}];
  if (pair)
    pair->fresh_databases();
  else
    pair = std::make_unique<Pair>(blue_major, green_major);
  return *pair;
}

Connection admin(const PostgresServer& server, const std::string& dbname) {
  return Connection::open(server.conninfo("verdigris", dbname),
                          {"PostgreSQL " + std::to_string(server.major()), "test", false, {}}, soon());
}

Server side(const PostgresServer& server, const std::string& color, const std::string& deployment) {
  Server result(color, deployment, server.conninfo("verdigris", "shop"));
  result.connect(soon());
  return result;
}

Result run(Connection& on, const std::string& sql) {
  return on.query(Sql::written_by_operator(sql), soon());
}

std::string value(Connection& on, const std::string& sql) {
  return run(on, sql).one_row(1).text_or_null(0).value_or("");
}

}  // namespace verdigris::test
