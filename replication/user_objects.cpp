#include "replication/user_objects.hpp"

namespace verdigris {

std::string user_objects(Connection& on, Deadline deadline) {
  const Result answer = on.query(Sql(R"(
    WITH objects AS (
      SELECT 'pg_class'::regclass AS catalog, oid, relnamespace AS schema,
             CASE relkind WHEN 'r' THEN 'tables' WHEN 'p' THEN 'tables' WHEN 'S' THEN 'sequences'
                          WHEN 'f' THEN 'foreign tables' ELSE 'views' END AS kind
      FROM pg_class WHERE relkind IN ('r', 'p', 'v', 'm', 'S', 'f') AND relpersistence <> 't'
      UNION ALL
      SELECT 'pg_proc'::regclass, oid, pronamespace, 'functions' FROM pg_proc
      UNION ALL
      SELECT 'pg_type'::regclass, oid, typnamespace, 'types' FROM pg_type
      WHERE typtype IN ('d', 'e', 'r') OR typtype = 'c' AND typrelid IN (SELECT oid FROM pg_class WHERE relkind = 'c')),
    counted AS (
      SELECT o.kind, count(*) AS number FROM objects o JOIN pg_namespace n ON n.oid = o.schema
      WHERE n.nspname !~ '^(pg_|information_schema$|verdigris$)'
        AND NOT EXISTS (SELECT FROM pg_depend d
                        WHERE d.classid = o.catalog AND d.objid = o.oid AND d.objsubid = 0 AND d.deptype = 'e')
      GROUP BY o.kind)
    SELECT coalesce(string_agg(number || ' ' || kind, ', ' ORDER BY number DESC, kind), '') FROM counted)"),
                                 deadline);
  return answer.one_row(1).text(0);
}

void drop_user_objects(Connection& on, Deadline deadline) {
  Transaction transaction(on, deadline);
  transaction.execute(Sql("SET LOCAL client_min_messages = warning"));
  const Result answer = transaction.query(Sql(R"(
    SELECT nspname FROM pg_namespace WHERE nspname !~ '^(pg_|information_schema$|verdigris$)')"));
  for (const Row& row : answer.rows(1)) transaction.execute(Sql("DROP SCHEMA {} CASCADE", Identifier(row.text(0))));
  if (on.major() >= 15)
    transaction.execute(Sql(R"(CREATE SCHEMA public AUTHORIZATION pg_database_owner;
                               GRANT USAGE ON SCHEMA public TO PUBLIC)"));
  else
    transaction.execute(Sql("CREATE SCHEMA public; GRANT ALL ON SCHEMA public TO PUBLIC"));
  transaction.execute(Sql("COMMENT ON SCHEMA public IS 'standard public schema'"));
  transaction.commit();
}

}  // namespace verdigris
