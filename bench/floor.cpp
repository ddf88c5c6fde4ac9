#include "bench/floor.hpp"

#include <atomic>
#include <future>
#include <optional>

#include "bench/cpu_time.hpp"
#include "controller/sandbox/roles.hpp"
#include "replication/catalog.hpp"
#include "replication/copy/relay.hpp"

namespace verdigris::bench {
namespace {

using namespace std::chrono_literals;

constexpr int kStreams = 2;  // as the others' two jobs

struct FloorTable {
  QualifiedName name;
  std::vector<Sql> indexes;
};

std::vector<Sql> index_statements(Connection& on, const QualifiedName& table) {
  const Result answer = on.query(Sql(R"(
      SELECT CASE WHEN k.oid IS NULL THEN pg_catalog.pg_get_indexdef(i.indexrelid)
             ELSE pg_catalog.format('ALTER TABLE %s ADD CONSTRAINT %I %s', i.indrelid::regclass, k.conname,
                                    pg_catalog.pg_get_constraintdef(k.oid)) END
      FROM pg_catalog.pg_index i
      LEFT JOIN pg_catalog.pg_constraint k ON k.conindid = i.indexrelid AND k.contype IN ('p', 'u', 'x')
      WHERE i.indrelid = {}::regclass)",
                                     Literal(table.sql())),
                                 Deadline::after(60s));
  std::vector<Sql> statements;
  for (const Row& row : answer.rows(1)) statements.push_back(Sql::written_by_operator(std::string(row.text(0))));
  return statements;
}

class Floor : public Copier {
 public:
  Floor(World& world, std::string variant) : Copier(world, "floor", std::move(variant)) {}

  void make_ready() override {
    const auto dump = (world_.dir() / "floor.sql").string();
    run({client_program("pg_dump"), "--schema-only", "--section=pre-data", "--file=" + dump,
         "--dbname=" + blue().text()});
    run({client_program("psql"), "--quiet", "--no-psqlrc", "--set=ON_ERROR_STOP=1", "--file=" + dump,
         "--dbname=" + green().text()});
    tables_.clear();
    auto on = world_.session("blue", kCopied);
    for (const auto& table : user_tables(on, Deadline::after(60s)))
      if (!table.is_partitioned) tables_.push_back({table.name, index_statements(on, table.name)});
  }

  void copy() override {
    next_ = 0;
    std::vector<std::future<void>> streams;
    for (int i = 0; i < kStreams; ++i) streams.push_back(std::async(std::launch::async, [this] { copy_tables(); }));
    for (auto& stream : streams) stream.get();
  }

 protected:
  virtual Conninfo green() const { return world_.conninfo("green", "verdigris", kCopied); }

 private:
  Conninfo blue() const { return world_.conninfo("blue", "verdigris", kCopied); }

  void copy_tables() {
    const auto deadline = Deadline::after(10min);
    auto source = Connection::open(blue(), {"blue", "verdigris/bench", false, {}}, deadline);
    auto target = Connection::open(green(),
                                   {"green",
                                    "verdigris/bench",
                                    false,
                                    {{"synchronous_commit", "off"},
                                     {"maintenance_work_mem", "256MB"},
                                     {"client_min_messages", "error"}}},
                                   deadline);
    for (std::size_t i = next_++; i < tables_.size(); i = next_++) copy_table(source, target, tables_[i], deadline);
  }

  // TRUNCATE in the transaction of the COPY: rows arrive frozen, and without WAL where the level is minimal.
  void copy_table(Connection& source, Connection& target, const FloorTable& table, Deadline deadline) {
    std::atomic<std::int64_t> sent = 0;
    source.execute(Sql("BEGIN"), deadline);
    target.execute(Sql("BEGIN; TRUNCATE {}", table.name), deadline);
    relay_copy(source, Sql("COPY {} TO STDOUT (FORMAT binary)", table.name), target,
               Sql("COPY {} FROM STDIN (FORMAT binary, FREEZE)", table.name), {}, sent, deadline);
    source.execute(Sql("COMMIT"), deadline);
    target.execute(Sql("COMMIT"), deadline);
    for (const auto& statement : table.indexes) target.execute(statement, deadline);
    target.execute(Sql("ANALYZE {}", table.name), deadline);
  }

  std::vector<FloorTable> tables_;
  std::atomic<std::size_t> next_ = 0;
};

// Its own server, made and started off the clock, in which nothing is durable.
class FloorOfLoadProfile : public Floor {
 public:
  explicit FloorOfLoadProfile(World& world) : Floor(world, "settings of the load profile") {}

  void make_ready() override {
    server_.emplace(PostgresServer::create(world_.server("green").major(), world_.dir() / "floor-green",
                                           {.name = "floor", .port = 5435, .settings = settings(), .user = "nobody"}));
    server_->start();
    {
      auto postgres = Connection::open(server_->conninfo("postgres", "postgres"), session(), Deadline::after(60s));
      create_controller_roles(postgres, Deadline::after(60s));
      create_application_roles(postgres, Deadline::after(60s));
      postgres.execute(Sql("CREATE DATABASE {} TEMPLATE template0", Identifier(kCopied)), Deadline::after(60s));
    }
    Floor::make_ready();
  }

  void copy() override {
    const double before = cpu_seconds_of_tree(server_->pid());
    Floor::copy();
    server_cpu_seconds_ = cpu_seconds_of_tree(server_->pid()) - before;
  }

  void clean() override { server_.reset(); }

  Connection filled() const override { return Connection::open(green(), session(), Deadline::after(60s)); }

 protected:
  Conninfo green() const override { return server_->conninfo("verdigris", kCopied); }

 private:
  static SessionOptions session() { return {"green", "verdigris/bench", false, {}}; }
  std::vector<std::pair<std::string, std::string>> settings() const {
    return {{"wal_level", "minimal"},     {"max_wal_senders", "0"},      {"fsync", "off"},
            {"full_page_writes", "off"},  {"synchronous_commit", "off"}, {"wal_skip_threshold", "0"},
            {"checkpoint_timeout", "1d"}, {"max_wal_size", "8GB"},       {"autovacuum", "off"},
            {"shared_buffers", "128MB"},  {"jit", "off"}};
  }

  std::optional<PostgresServer> server_;
};

}  // namespace

std::unique_ptr<Copier> floor_with_same_settings(World& world) {
  return std::make_unique<Floor>(world, "COPY, indexes and ANALYZE alone");
}

std::unique_ptr<Copier> floor_with_load_profile(World& world) { return std::make_unique<FloorOfLoadProfile>(world); }

}  // namespace verdigris::bench
