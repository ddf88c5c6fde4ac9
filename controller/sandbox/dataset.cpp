#include "controller/sandbox/dataset.hpp"

#include <algorithm>
#include <atomic>
#include <exception>
#include <mutex>
#include <thread>

#include "replication/connection.hpp"
#include "replication/errors.hpp"

namespace verdigris {
namespace {

constexpr int kSessions = 2;
constexpr int kMostRowsAtOnce = 50'000;  // one INSERT; between two of them the deadline and other sessions get a turn

constexpr const char* kPrelude = R"(
CREATE SCHEMA billing AUTHORIZATION app_owner;
GRANT USAGE, CREATE ON SCHEMA public TO app_owner;
GRANT USAGE ON SCHEMA public, billing TO app, stray, stray_admin;
SET ROLE app_owner;
CREATE TYPE public.customer_status AS ENUM ('new', 'active', 'on hold', 'gone');
CREATE TYPE public.geo_point AS (latitude float8, longitude float8);
CREATE DOMAIN public.email AS text CHECK (VALUE LIKE '%@%');
CREATE SEQUENCE public.ledger_seq;
CREATE SEQUENCE public.countdown_seq INCREMENT -1 MINVALUE -1000000000 MAXVALUE -1 START -1;
CREATE SEQUENCE public.batch_seq CACHE 20;
CREATE SEQUENCE public.desk_seq AS smallint MINVALUE 1 MAXVALUE 99 CYCLE;
CREATE FUNCTION public.note_change() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  INSERT INTO public.audit (table_name, operation, changed) VALUES (TG_TABLE_NAME, TG_OP, to_jsonb(NEW));
  RETURN NEW;
END $$;
CREATE FUNCTION public.gross(net numeric) RETURNS numeric LANGUAGE sql IMMUTABLE AS 'SELECT round(net * 1.19, 2)';
)";

constexpr const char* kGrants = R"(
GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA public, billing TO app, stray, stray_admin;
GRANT USAGE, SELECT ON ALL SEQUENCES IN SCHEMA public, billing TO app, stray, stray_admin;
)";

TableSpec archive(int number) {
  const std::string name = "archive_" + std::string(number < 10 ? "0" : "") + std::to_string(number);
  return {name,
          1,
          480,
          0,
          "CREATE TABLE public." + name + R"( (
             id bigint PRIMARY KEY, archived date NOT NULL, kind smallint NOT NULL, body text, checked boolean))",
          "INSERT INTO public." + name + R"(
             SELECT i, date '2019-01-01' + (i % 2000)::int, (i % 7)::smallint, repeat(md5(i::text), 13), i % 3 = 0
             FROM generate_series($1::bigint, $2) i)",
          "CREATE INDEX ON public." + name + " (archived)"};
}

Connection open_session(const Conninfo& superuser, Deadline deadline) {
  return Connection::open(
      superuser,
      {"sandbox",
       "verdigris/sandbox/dataset",
       false,
       {{"search_path", "public"}, {"synchronous_commit", "off"}, {"maintenance_work_mem", "64MB"}}},
      deadline);
}

void run(Connection& on, const std::string& sql, Deadline deadline) {
  if (!sql.empty()) on.execute(Sql::written_by_operator(sql), deadline);
}

void create_tables(Connection& on, const std::vector<TableSpec>& specs, Deadline deadline) {
  run(on, kPrelude, deadline);
  for (const auto& spec : specs) run(on, spec.create, deadline);
  run(on, "RESET ROLE", deadline);
}

void finish_table(Connection& on, const TableSpec& spec, Deadline deadline) {
  run(on, "SET ROLE app_owner", deadline);
  run(on, spec.finish, deadline);
  run(on, "RESET ROLE", deadline);
}

std::int64_t rows_of(const TableSpec& spec, const DatasetOptions& options) {
  const std::int64_t bytes = std::int64_t{options.megabytes} * 1'000'000 * spec.share / 1000;
  return std::max<std::int64_t>(100, bytes / spec.row_bytes);
}

void fill_table(Connection& on, const TableSpec& spec, std::int64_t rows, Deadline deadline) {
  if (spec.fill.empty()) return;
  const auto sql = Sql::written_by_operator(spec.fill);
  for (std::int64_t first = 1; first <= rows; first += kMostRowsAtOnce) {
    const auto last = std::min(rows, first + kMostRowsAtOnce - 1);
    on.query(sql, {std::to_string(first), std::to_string(last)}, deadline);
  }
}

// Takes tables from a common list, biggest first, so that both sessions end at about the same time.
class Filler {
 public:
  Filler(std::vector<TableSpec> specs, const DatasetOptions& options, ProgressCallback progress)
      : specs_(std::move(specs)), options_(options), progress_(std::move(progress)) {
    std::stable_sort(specs_.begin(), specs_.end(), [](const auto& a, const auto& b) { return a.share > b.share; });
  }

  void run_sessions(const Conninfo& superuser, Deadline deadline) {
    std::vector<std::thread> threads;
    for (int i = 0; i < kSessions; ++i)
      threads.emplace_back([&] {
        try {
          fill(superuser, deadline);
        } catch (...) {
          const std::lock_guard lock(mutex_);
          failure_ = std::current_exception();
          next_ = specs_.size();
        }
      });
    for (auto& thread : threads) thread.join();
    if (failure_) std::rethrow_exception(failure_);
  }

 private:
  void fill(const Conninfo& superuser, Deadline deadline) {
    auto session = open_session(superuser, deadline);
    for (std::size_t mine = next_++; mine < specs_.size(); mine = next_++) {
      fill_table(session, specs_[mine], rows_of(specs_[mine], options_), deadline);
      const std::lock_guard lock(mutex_);
      ++done_;
      if (progress_) progress_(std::to_string(done_) + "/" + std::to_string(specs_.size()) + " tables filled");
    }
  }

  std::vector<TableSpec> specs_;
  DatasetOptions options_;
  ProgressCallback progress_;
  std::atomic<std::size_t> next_{0};
  std::mutex mutex_;
  std::size_t done_ = 0;
  std::exception_ptr failure_;
};

// What is left of the data after the fixed shares goes to the archives in equal parts; without any, to the others.
void share_out(std::vector<TableSpec>& specs) {
  int given = 0;
  std::vector<TableSpec*> archives;
  for (auto& spec : specs) {
    given += spec.share;
    if (spec.name.starts_with("archive_")) archives.push_back(&spec);
  }
  for (auto* spec : archives) spec->share = std::max(0, 1000 - given) / static_cast<int>(archives.size());
  if (archives.empty())
    for (auto& spec : specs) spec.share = spec.share * 1000 / std::max(1, given);
}

}  // namespace

std::vector<TableSpec> dataset_tables(int count) {
  if (count < kFewestTables)
    throw Error("sandbox.tables", "the dataset has at least " + std::to_string(kFewestTables) + " tables", {},
                Failure::usage);
  std::vector<TableSpec> result;
  int have = 0;
  auto all = shop_tables();
  for (auto& spec : typed_tables()) all.push_back(std::move(spec));
  for (auto& spec : all) {
    if (have + spec.tables > count) break;
    have += spec.tables;
    result.push_back(std::move(spec));
  }
  for (int number = 1; have < count; ++number, ++have) result.push_back(archive(number));
  share_out(result);
  return result;
}

void create_schema(const Conninfo& superuser, const DatasetOptions& options, Deadline deadline) {
  const auto specs = dataset_tables(options.tables);
  auto session = open_session(superuser, deadline);
  create_tables(session, specs, deadline);
  for (const auto& spec : specs) finish_table(session, spec, deadline);
  run(session, kGrants, deadline);
}

void create_dataset(const Conninfo& superuser, const DatasetOptions& options, const ProgressCallback& progress,
                    Deadline deadline) {
  const auto specs = dataset_tables(options.tables);
  auto session = open_session(superuser, deadline);
  create_tables(session, specs, deadline);
  Filler(specs, options, progress).run_sessions(superuser, deadline);
  for (const auto& spec : specs) finish_table(session, spec, deadline);
  run(session, kGrants, deadline);
  run(session, "VACUUM (ANALYZE)", deadline);
}

}  // namespace verdigris
