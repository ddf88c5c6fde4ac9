#include "replication/access.hpp"

#include "replication/test_switches.hpp"

namespace verdigris {
namespace {

// Runs as a superuser or the database's owner. A grant can only be revoked as its grantor, hence the role changes.
constexpr auto kSetConnect = BasicSqlText<>(R"(
  CREATE OR REPLACE FUNCTION verdigris.set_connect(grantor oid, grantee oid, is_grantable bool, is_granted bool)
  RETURNS void LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
  DECLARE
    owner oid := (SELECT datdba FROM pg_database WHERE datname = current_database());
    who text := CASE WHEN grantee = 0 THEN 'PUBLIC' ELSE quote_ident(pg_get_userbyid(grantee)) END;
  BEGIN
    IF grantor <> owner THEN PERFORM set_config('role', pg_get_userbyid(grantor), true); END IF;
    IF is_granted THEN
      EXECUTE format('GRANT CONNECT ON DATABASE %I TO %s', current_database(), who)
        || CASE WHEN is_grantable THEN ' WITH GRANT OPTION' ELSE '' END;
    ELSE
      EXECUTE format('REVOKE CONNECT ON DATABASE %I FROM %s CASCADE', current_database(), who);
    END IF;
    IF grantor <> owner THEN PERFORM set_config('role', 'none', true); END IF;
  END $$)");

// In PL/pgSQL, which keeps the plan for the session: up to 17 a function in SQL plans anew with each call, a millisecond.
constexpr auto kConnectGrants = BasicSqlText<>(R"(
  CREATE OR REPLACE FUNCTION verdigris.connect_grants()
  RETURNS TABLE (grantor oid, grantee oid, is_grantable bool, by_owner bool)
  LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $$
  BEGIN
    RETURN QUERY SELECT a.grantor, a.grantee, a.is_grantable, a.grantor = d.datdba
      FROM pg_database d, aclexplode(coalesce(d.datacl, acldefault('d', d.datdba))) a
      WHERE d.datname = current_database() AND a.privilege_type = 'CONNECT';
  END $$)");

constexpr auto kCloseAccess = BasicSqlText<>(R"(
  CREATE OR REPLACE FUNCTION verdigris.close_access(for_deployment text, keep text[])
  RETURNS void LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
  DECLARE
    g record;
    owner oid := (SELECT datdba FROM pg_database WHERE datname = current_database());
  BEGIN
    IF EXISTS (SELECT FROM verdigris.saved WHERE deployment = for_deployment AND key = 'access') THEN RETURN; END IF;
    INSERT INTO verdigris.saved (deployment, key, value)
      SELECT for_deployment, 'access', jsonb_build_object(
        'limit', (SELECT datconnlimit FROM pg_database WHERE datname = current_database()),
        'grants', coalesce((SELECT jsonb_agg(jsonb_build_object(
          'grantor', c.grantor, 'grantee', c.grantee, 'grantable', c.is_grantable, 'by_owner', c.by_owner))
          FROM verdigris.connect_grants() c), '[]'));
    FOR g IN SELECT oid FROM pg_roles WHERE rolname = ANY (keep) LOOP
      PERFORM verdigris.set_connect(owner, g.oid, false, true);
    END LOOP;
    FOR g IN SELECT * FROM verdigris.connect_grants() ORDER BY by_owner LOOP
      IF g.grantee = 0 OR pg_get_userbyid(g.grantee) <> ALL (keep) OR NOT g.by_owner THEN
        -- one that a CASCADE before it has already taken away is no error: REVOKE of nothing is allowed
        PERFORM verdigris.set_connect(g.grantor, g.grantee, false, false);
      END IF;
    END LOOP;
    EXECUTE format('ALTER DATABASE %I CONNECTION LIMIT 0', current_database());
  END $$)");

constexpr auto kOpenAccess = BasicSqlText<>(R"(
  CREATE OR REPLACE FUNCTION verdigris.open_access(for_deployment text)
  RETURNS void LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
  DECLARE
    was jsonb;
    g record;
    owner oid := (SELECT datdba FROM pg_database WHERE datname = current_database());
  BEGIN
    DELETE FROM verdigris.saved WHERE deployment = for_deployment AND key = 'access' RETURNING value INTO was;
    IF was IS NULL THEN RETURN; END IF;
    EXECUTE format('ALTER DATABASE %I CONNECTION LIMIT %s', current_database(), was ->> 'limit');
    FOR g IN SELECT * FROM jsonb_to_recordset(was -> 'grants')
                    AS t(grantor oid, grantee oid, grantable bool, by_owner bool)
             WHERE (grantee = 0 OR EXISTS (SELECT FROM pg_roles WHERE oid = grantee))  -- may have been dropped since
               AND (by_owner OR EXISTS (SELECT FROM pg_roles WHERE oid = grantor))
             ORDER BY by_owner DESC LOOP
      PERFORM verdigris.set_connect(CASE WHEN g.by_owner THEN owner ELSE g.grantor END, g.grantee, g.grantable, true);
    END LOOP;
    FOR g IN SELECT c.grantor, c.grantee FROM verdigris.connect_grants() c
             EXCEPT SELECT CASE WHEN t.by_owner THEN owner ELSE t.grantor END, t.grantee
             FROM jsonb_to_recordset(was -> 'grants') AS t(grantor oid, grantee oid, by_owner bool) LOOP
      PERFORM verdigris.set_connect(g.grantor, g.grantee, false, false);
    END LOOP;
  END $$)");

}  // namespace

std::string ForeignSession::describe() const {
  return "pid " + std::to_string(pid) + " (" + user + ", application \"" + application + "\", " +
         (address.empty() ? "local" : address) + ", " + state + " for " +
         std::to_string(static_cast<long>(seconds_in_state)) + " s" +
         (query_start.empty() ? "" : ", query began " + query_start) + ")";
}

std::vector<Sql> access_function_statements() {
  return {Sql(kSetConnect), Sql(kConnectGrants), Sql(kCloseAccess), Sql(kOpenAccess),
          Sql("REVOKE ALL ON ALL FUNCTIONS IN SCHEMA verdigris FROM PUBLIC")};
}

void install_access_functions(Transaction& transaction) {
  for (const auto& statement : access_function_statements()) transaction.execute(statement);
}

void close_access(Transaction& transaction, const std::string& deployment, const std::vector<std::string>& keep) {
  transaction.query(closing_access_statement(), {deployment, text_array(keep)});
}

Sql closing_access_statement() { return Sql("SELECT verdigris.close_access($1, $2::text[])"); }

void close_access(Connection& on, const std::string& deployment, const std::vector<std::string>& keep,
                  Deadline deadline) {
  on.commit_alone(close_access_statement(), {deployment, text_array(keep)}, deadline);
}

Sql close_access_statement() {
  return Sql("SELECT verdigris.close_access($1, $2::text[]) FROM (SELECT set_config('synchronous_commit', 'off', true)) "
             "AS not_flushed");
}

void open_access(Transaction& transaction, const std::string& deployment) {
  if (is_mutant("access_opened_to_defaults"))
    return transaction.execute(Sql(R"(DELETE FROM verdigris.saved WHERE key = 'access'; DO $$ BEGIN
      EXECUTE format('ALTER DATABASE %I CONNECTION LIMIT -1', current_database());
      EXECUTE format('GRANT CONNECT ON DATABASE %I TO PUBLIC', current_database()); END $$)"));
  transaction.query(opening_access_statement(), {deployment});
}

Sql opening_access_statement() { return Sql("SELECT verdigris.open_access($1)"); }

bool is_access_closed(Connection& on, const std::string& deployment, Deadline deadline) {
  return on
      .query_prepared(Sql(R"(
        SELECT datconnlimit = 0 AND EXISTS (SELECT FROM verdigris.saved WHERE deployment = $1 AND key = 'access')
        FROM pg_database WHERE datname = current_database())"),
                      {deployment}, deadline)
      .one_row(1)
      .boolean(0);
}

// REVOKE takes away what was granted by the role it runs as, and nothing that comes by membership: so it is asked.
std::vector<std::string> roles_let_in(Connection& on, const std::vector<std::string>& keep, Deadline deadline) {
  const auto result = on.query_prepared(Sql(R"(
    SELECT r.rolname FROM pg_roles r
    WHERE r.rolcanlogin AND NOT r.rolsuper AND r.rolname <> ALL ($1::text[])
      AND has_database_privilege(r.oid, (SELECT oid FROM pg_database WHERE datname = current_database()), 'CONNECT')
    ORDER BY r.rolname)"),
                                        {text_array(keep)}, deadline);
  std::vector<std::string> names;
  for (const auto& row : result.rows(1)) names.push_back(row.text(0));
  return names;
}

bool has_saved_access(Connection& on, const std::string& deployment, Deadline deadline) {
  return on.query(Sql("SELECT EXISTS (SELECT FROM verdigris.saved WHERE deployment = $1 AND key = 'access')"), {deployment}, deadline)
      .one_row(1)
      .boolean(0);
}

// Of pg_stat_activity's function: the view's joins cost more to plan than the rest.
Sql from_foreign_sessions(const Sql& deployment) {
  return Sql(R"(
    FROM pg_stat_get_activity(NULL)
    WHERE datid = (SELECT oid FROM pg_database WHERE datname = current_database()) AND backend_type = 'client backend'
      AND pid <> pg_backend_pid()
      AND NOT (starts_with(application_name, 'verdigris/' || {} || '/') AND pg_get_userbyid(usesysid) = session_user))",
             deployment);
}

void send_foreign_sessions(Connection& on, const std::string& deployment, Deadline deadline) {
  on.send_prepared(Sql(R"(
    SELECT pid, pg_get_userbyid(usesysid), coalesce(application_name, ''), coalesce(host(client_addr), ''),
           coalesce(state, 'unknown'), coalesce(extract(epoch FROM clock_timestamp() - state_change), 0)::float8,
           coalesce(to_char(query_start AT TIME ZONE 'UTC', 'YYYY-MM-DD HH24:MI:SS"Z"'), '') {}
    ORDER BY backend_start)",
                       from_foreign_sessions(Sql("$1"))),
                   {deployment}, deadline);
}

std::vector<ForeignSession> receive_foreign_sessions(Connection& on, Deadline deadline) {
  const auto result = on.receive(deadline);
  std::vector<ForeignSession> out;
  for (const auto& row : result.rows(7))
    out.push_back({static_cast<int>(row.integer(0)), row.text(1), row.text(2), row.text(3), row.text(4), row.real(5),
                   row.text(6)});
  return out;
}

std::vector<ForeignSession> foreign_sessions(Connection& on, const std::string& deployment, Deadline deadline) {
  send_foreign_sessions(on, deployment, deadline);
  return receive_foreign_sessions(on, deadline);
}

void terminate_sessions(Connection& on, const std::vector<ForeignSession>& sessions, Deadline deadline) {
  for (const auto& session : sessions)
    on.query(terminate_statement(), {std::to_string(session.pid)}, deadline);
}

Sql terminate_statement() { return Sql("SELECT pg_terminate_backend($1::int)"); }

}  // namespace verdigris
