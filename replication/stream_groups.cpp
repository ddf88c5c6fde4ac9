#include "replication/stream_groups.hpp"

#include <algorithm>

#include "replication/fence.hpp"
#include "replication/marker.hpp"

namespace verdigris {
namespace {

constexpr int kMostGroupsEver = 64;  // far above what a playbook may ask for

Sql group_table_statement(const QualifiedName& table) {
  return Sql(R"(
    CREATE TABLE IF NOT EXISTS {} (
      id bigint PRIMARY KEY, kind text NOT NULL, side text NOT NULL, at timestamptz NOT NULL, sequences jsonb)
    WITH (autovacuum_enabled = off))",
             table);
}

// Without the fence's function, which the marker's own statements keep.
Sql group_body(int groups) {
  std::vector<Sql> inserts;
  for (int number = 2; number <= groups; ++number)
    inserts.push_back(Sql("\n  INSERT INTO {} (id, kind, side, at, sequences) VALUES (NEW.id, NEW.kind, NEW.side, NEW.at, NEW.sequences);",
                          Stream{"", number}.marker()));
  return Sql(" BEGIN /* verdigris: groups */{}\n  RETURN NULL;\nEND ", Sql::joined(inserts, ""));
}

Sql group_function_statement(int groups) {
  return Sql(R"(
    CREATE OR REPLACE FUNCTION verdigris.marker_groups() RETURNS trigger LANGUAGE plpgsql
    SET search_path = pg_catalog, pg_temp AS {})",
             Literal(group_body(groups).text()));
}

Sql group_trigger_statement() {
  return Sql(R"(
    CREATE TRIGGER verdigris_marker_groups AFTER INSERT ON verdigris.marker
    FOR EACH ROW EXECUTE FUNCTION verdigris.marker_groups())");
}

bool has_trigger(Connection& on, const QualifiedName& table, const char* trigger, Deadline deadline) {
  return on
      .query(Sql(R"(
    SELECT EXISTS (SELECT FROM pg_trigger t WHERE t.tgname = $2 AND t.tgenabled = 'O'
                     AND t.tgrelid = to_regclass($1)))"),
             {table.sql(), trigger}, deadline)
      .one_row(1)
      .boolean(0);
}

}  // namespace

int groups_on(Connection& on, const std::string& deployment, Deadline deadline) {
  const Result answer = on.query(Sql(R"(
    SELECT coalesce(max(substring(o.name FROM '_g([0-9]+)$')::int), 1) FROM (
      SELECT pubname::text FROM pg_publication
      UNION ALL SELECT subname::text FROM pg_subscription
                WHERE subdbid = (SELECT oid FROM pg_database WHERE datname = current_database())
      UNION ALL SELECT slot_name::text FROM pg_replication_slots WHERE database = current_database()) AS o(name)
    WHERE o.name ~ ('^verdigris_' || $1 || '_(fwd|rev)_g[0-9]{1,2}$'))"),
                                 {deployment}, deadline);
  return static_cast<int>(std::min<std::int64_t>(answer.one_row(1).integer(0), kMostGroupsEver));
}

void install_marker_groups(Connection& on, int groups, Deadline deadline) {
  if (groups < 2 || has_marker_groups(on, groups, deadline)) return;
  Transaction transaction(on, deadline);
  transaction.execute(Sql("SET LOCAL client_min_messages = warning"));
  for (int number = 2; number <= groups; ++number) {
    const auto table = Stream{"", number}.marker();
    transaction.execute(group_table_statement(table));
    if (!has_trigger(on, table, "verdigris_marker_fence", deadline)) transaction.execute(marker_trigger_statement(table));
  }
  transaction.execute(group_function_statement(groups));
  if (!has_trigger(on, Stream{""}.marker(), "verdigris_marker_groups", deadline)) transaction.execute(group_trigger_statement());
  transaction.execute(sequence_seen_statement(groups));
  transaction.commit();
}

bool has_marker_groups(Connection& on, int groups, Deadline deadline) {
  if (groups < 2) return true;
  const Result answer = on.query(Sql(R"(
    SELECT EXISTS (SELECT FROM pg_proc WHERE oid = to_regprocedure('verdigris.marker_groups()') AND prosrc = $1)
       AND EXISTS (SELECT FROM pg_depend d JOIN pg_rewrite r ON r.oid = d.objid
                   WHERE d.classid = 'pg_rewrite'::regclass AND r.ev_class = to_regclass('verdigris.sequence_seen')
                     AND d.refobjid = to_regclass($2)))"),
                                 {group_body(groups).text(), Stream{"", groups}.marker().sql()}, deadline);
  if (!answer.one_row(1).boolean(0) || !has_trigger(on, Stream{""}.marker(), "verdigris_marker_groups", deadline)) return false;
  for (int number = 2; number <= groups; ++number)
    if (!has_trigger(on, Stream{"", number}.marker(), "verdigris_marker_fence", deadline)) return false;
  return true;
}

void remove_marker_groups(Connection& on, Deadline deadline) {
  const Result answer = on.query(Sql(R"(
    SELECT coalesce(max(substring(c.relname FROM '^marker_g([0-9]+)$')::int), 1) FROM pg_class c
    WHERE c.relnamespace = to_regnamespace('verdigris') AND c.relname ~ '^marker_g[0-9]{1,2}$')"),
                                 deadline);
  const auto groups = static_cast<int>(answer.one_row(1).integer(0));
  if (groups < 2) return;
  Transaction transaction(on, deadline);
  transaction.execute(Sql("SET LOCAL client_min_messages = warning"));
  transaction.execute(marker_groups_removing_statement(groups));
  transaction.commit();
}

std::vector<Sql> marker_group_statements(int groups) {
  std::vector<Sql> all;
  if (groups < 2) return all;
  for (int number = 2; number <= groups; ++number) {
    const auto table = Stream{"", number}.marker();
    all.push_back(group_table_statement(table));
    all.push_back(marker_trigger_statement(table));
  }
  all.push_back(group_function_statement(groups));
  all.push_back(group_trigger_statement());
  all.push_back(sequence_seen_statement(groups));
  return all;
}

Sql marker_groups_removing_statement(int groups) {
  std::vector<Sql> tables;
  for (int number = 2; number <= groups; ++number) tables.push_back(Sql("{}", Stream{"", number}.marker()));
  return Sql("DROP FUNCTION IF EXISTS verdigris.marker_groups() CASCADE; {}; DROP TABLE IF EXISTS {}",
             sequence_seen_statement(1), Sql::joined(tables, ", "));
}

}  // namespace verdigris
