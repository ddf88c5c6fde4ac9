#include "replication/control_schema.hpp"

#include "replication/access.hpp"
#include "replication/fence.hpp"

namespace verdigris {
namespace {

void create_tables(Transaction& transaction) {
  transaction.execute(Sql(R"(
    CREATE SCHEMA IF NOT EXISTS verdigris;
    REVOKE ALL ON SCHEMA verdigris FROM PUBLIC;
    CREATE TABLE IF NOT EXISTS verdigris.identity (
      deployment text PRIMARY KEY, side text NOT NULL, token text NOT NULL);
    CREATE TABLE IF NOT EXISTS verdigris.journal (
      deployment text NOT NULL, epoch int NOT NULL, seq int NOT NULL, at text NOT NULL, controller text NOT NULL,
      event text NOT NULL, detail jsonb NOT NULL, PRIMARY KEY (deployment, epoch, seq));
    CREATE TABLE IF NOT EXISTS verdigris.marker (
      id bigint PRIMARY KEY, kind text NOT NULL, side text NOT NULL,
      at timestamptz NOT NULL DEFAULT pg_catalog.clock_timestamp()) WITH (autovacuum_enabled = off);
    CREATE TABLE IF NOT EXISTS verdigris.saved (
      deployment text NOT NULL, key text NOT NULL, value jsonb NOT NULL, PRIMARY KEY (deployment, key));
  )"));
}

}  // namespace

bool has_control_schema(Connection& on, Deadline deadline) {
  return on.query(Sql("SELECT to_regclass('verdigris.journal') IS NOT NULL"), deadline).one_row(1).boolean(0);
}

void install_control_schema(Connection& on, const std::string& deployment, const std::string& side, Deadline deadline) {
  Transaction transaction(on, deadline);
  // Two controllers that install at once would fail with "tuple concurrently updated"; the lock makes them queue.
  transaction.execute(Sql("SELECT pg_advisory_xact_lock(hashtextextended('verdigris:install', 0))"));
  create_tables(transaction);
  transaction.query(Sql(R"(
    INSERT INTO verdigris.identity (deployment, side, token) VALUES ($1, $2, gen_random_uuid()::text)
    ON CONFLICT (deployment) DO NOTHING)"),
                    {deployment, side});
  install_access_functions(transaction);
  install_marker_fence(transaction);
  transaction.commit();
}

void remove_control_schema(Connection& on, Deadline deadline) {
  on.execute(Sql("SET client_min_messages = warning"), deadline);
  on.execute(Sql("DROP SCHEMA IF EXISTS verdigris CASCADE"), deadline);
}

void save_value(Connection& in_transaction, const std::string& deployment, const std::string& key,
                const std::string& value, Deadline deadline) {
  in_transaction.query(Sql(R"(
    INSERT INTO verdigris.saved (deployment, key, value) VALUES ($1, $2, $3::jsonb)
    ON CONFLICT (deployment, key) DO NOTHING)"),
                       {deployment, key, value}, deadline);
}

std::optional<std::string> saved_value(Connection& on, const std::string& deployment, const std::string& key,
                                       Deadline deadline) {
  const auto result =
      on.query(Sql("SELECT value::text FROM verdigris.saved WHERE deployment = $1 AND key = $2"), {deployment, key}, deadline);
  const auto row = result.at_most_one_row(1);
  if (!row) return std::nullopt;
  return row->text(0);
}

std::vector<std::pair<std::string, std::string>> saved_values(Connection& on, const std::string& deployment,
                                                              const std::string& key_prefix, Deadline deadline) {
  const auto result = on.query(Sql(R"(
    SELECT key, value::text FROM verdigris.saved
    WHERE deployment = $1 AND starts_with(key, $2) ORDER BY key)"),
                               {deployment, key_prefix}, deadline);
  std::vector<std::pair<std::string, std::string>> out;
  for (const auto& row : result.rows(2)) out.emplace_back(row.text(0), row.text(1));
  return out;
}

void forget_value(Connection& on, const std::string& deployment, const std::string& key, Deadline deadline) {
  on.query(Sql("DELETE FROM verdigris.saved WHERE deployment = $1 AND key = $2"), {deployment, key}, deadline);
}

}  // namespace verdigris
