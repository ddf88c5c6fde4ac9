#include "replication/control_schema.hpp"

#include "replication/access.hpp"
#include "replication/fence.hpp"
#include "replication/marker.hpp"

namespace verdigris {
namespace {

Sql tables_statement() {
  return Sql(R"(
    CREATE SCHEMA IF NOT EXISTS verdigris;
    REVOKE ALL ON SCHEMA verdigris FROM PUBLIC;
    CREATE TABLE IF NOT EXISTS verdigris.identity (
      deployment text PRIMARY KEY, side text NOT NULL, token text NOT NULL);
    CREATE TABLE IF NOT EXISTS verdigris.journal (
      deployment text NOT NULL, epoch int NOT NULL, seq int NOT NULL, at text NOT NULL, controller text NOT NULL,
      event text NOT NULL, detail jsonb NOT NULL, PRIMARY KEY (deployment, epoch, seq));
    CREATE TABLE IF NOT EXISTS verdigris.marker (
      id bigint PRIMARY KEY, kind text NOT NULL, side text NOT NULL,
      at timestamptz NOT NULL DEFAULT pg_catalog.clock_timestamp(), sequences jsonb) WITH (autovacuum_enabled = off);
    {};
    CREATE TABLE IF NOT EXISTS verdigris.saved (
      deployment text NOT NULL, key text NOT NULL, value jsonb NOT NULL, PRIMARY KEY (deployment, key));
  )",
             sequence_seen_statement(1));
}

Sql identity_statement() {
  return Sql(R"(
    INSERT INTO verdigris.identity (deployment, side, token) VALUES ($1, $2, gen_random_uuid()::text)
    ON CONFLICT (deployment) DO NOTHING)");
}

// One row per thing that speaks against a schema of this name being ours; read from the catalogs alone, because reading
// a relation of somebody else could run their code as a superuser.
constexpr auto kFaults = BasicSqlText<>(R"(
  WITH trusted AS (SELECT oid FROM pg_roles WHERE rolsuper OR rolname = current_user),
  schema AS (SELECT oid, nspowner, nspacl FROM pg_namespace WHERE nspname = 'verdigris'),
  relations AS (SELECT c.* FROM pg_class c JOIN schema s ON s.oid = c.relnamespace WHERE c.relkind NOT IN ('i', 't')),
  who AS (SELECT oid, rolname::text AS name FROM pg_roles UNION ALL SELECT 0::oid, 'PUBLIC')
  SELECT 1 AS n, 'it belongs to ' || pg_get_userbyid(nspowner) AS fault FROM schema
  WHERE nspowner NOT IN (SELECT oid FROM trusted)
  UNION ALL
  SELECT 2, w.name || ' may create objects in it'
  FROM schema CROSS JOIN aclexplode(nspacl) AS a JOIN who w ON w.oid = a.grantee
  WHERE a.privilege_type = 'CREATE' AND a.grantee NOT IN (SELECT oid FROM trusted)
  UNION ALL
  SELECT 3, relname || ' belongs to ' || pg_get_userbyid(relowner) FROM relations
  WHERE relowner NOT IN (SELECT oid FROM trusted)
  UNION ALL
  SELECT 4, 'function ' || p.proname || ' belongs to ' || pg_get_userbyid(p.proowner)
  FROM pg_proc p JOIN schema s ON s.oid = p.pronamespace WHERE p.proowner NOT IN (SELECT oid FROM trusted)
  UNION ALL
  SELECT 5, w.name || ' may ' || lower(a.privilege_type) || ' ' || relname
  FROM relations CROSS JOIN aclexplode(relacl) AS a JOIN who w ON w.oid = a.grantee
  WHERE a.privilege_type IN ('INSERT', 'UPDATE', 'DELETE', 'TRUNCATE', 'TRIGGER')
    AND a.grantee NOT IN (SELECT oid FROM trusted)
  UNION ALL
  SELECT 6, t.name || ' is missing or not a table'
  FROM schema CROSS JOIN unnest('{identity,journal,marker,saved}'::text[]) AS t(name)
  WHERE NOT EXISTS (SELECT FROM relations r WHERE r.relname = t.name AND r.relkind = 'r'))");

void require_own_schema(Connection& on, Deadline deadline) {
  const Result answer = on.query(Sql("SELECT fault FROM ({}) AS f ORDER BY n, fault LIMIT 1", Sql(kFaults)), deadline);
  const auto fault = answer.at_most_one_row(1);
  if (!fault) return;
  throw Refused("schema.foreign", on.server() + ": the schema verdigris is not ours: " + fault->text(0),
                "Nothing in it was read. If another program made it, rename it: ALTER SCHEMA verdigris RENAME TO ...; "
                "if it was ours, find out who changed it.");
}

}  // namespace

bool has_control_schema(Connection& on, Deadline deadline) {
  const Result answer =
      on.query(Sql("SELECT EXISTS (SELECT FROM pg_namespace WHERE nspname = 'verdigris')"), deadline);
  if (!answer.one_row(1).boolean(0)) return false;
  require_own_schema(on, deadline);
  return true;
}

void install_control_schema(Connection& on, const std::string& deployment, const std::string& side, Deadline deadline) {
  Transaction transaction(on, deadline);
  // Two controllers that install at once would fail with "tuple concurrently updated"; the lock makes them queue.
  transaction.execute(Sql("SELECT pg_advisory_xact_lock(hashtextextended('verdigris:install', 0))"));
  has_control_schema(on, deadline);  // throws if it is somebody else's
  transaction.execute(tables_statement());
  require_own_schema(on, deadline);  // made by somebody else meanwhile: nothing is written into it
  transaction.query(identity_statement(), {deployment, side});
  install_access_functions(transaction);
  install_marker_fence(transaction);
  transaction.commit();
}

std::vector<Sql> installing_statements() {
  std::vector<Sql> all{tables_statement(), identity_statement()};
  for (auto& one : access_function_statements()) all.push_back(std::move(one));
  all.push_back(marker_fence_statement(FenceState::open));
  all.push_back(marker_trigger_statement({"verdigris", "marker"}));
  return all;
}

void remove_control_schema(Connection& on, Deadline deadline) {
  on.execute(Sql("SET client_min_messages = warning"), deadline);
  on.execute(removing_statement(), deadline);
}

Sql removing_statement() { return Sql("DROP SCHEMA IF EXISTS verdigris CASCADE"); }

void save_value(Connection& in_transaction, const std::string& deployment, const std::string& key,
                const std::string& value, Deadline deadline) {
  in_transaction.query(saving_statement(), {deployment, key, value}, deadline);
}

Sql saving_statement() {
  return Sql(R"(
    INSERT INTO verdigris.saved (deployment, key, value) VALUES ($1, $2, $3::jsonb)
    ON CONFLICT (deployment, key) DO NOTHING)");
}

void note_value(Connection& on, const std::string& deployment, const std::string& key, const std::string& value,
                Deadline deadline) {
  on.query(noting_statement(), {deployment, key, value}, deadline);
}

Sql noting_statement() {
  return Sql(R"(
    INSERT INTO verdigris.saved (deployment, key, value) VALUES ($1, $2, $3::jsonb)
    ON CONFLICT (deployment, key) DO UPDATE SET value = excluded.value)");
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
  on.query(forgetting_statement(), {deployment, key}, deadline);
}

Sql forgetting_statement() { return Sql("DELETE FROM verdigris.saved WHERE deployment = $1 AND key = $2"); }

}  // namespace verdigris
