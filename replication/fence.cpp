#include "replication/fence.hpp"

#include <algorithm>

#include "replication/lock_retry.hpp"
#include "replication/test_switches.hpp"

namespace verdigris {
namespace {

using std::chrono::milliseconds;

// Nothing; with a mutant, kinds of tables of which it is believed that they need no fence.
Sql overlooked() {
  if (is_mutant("fence_on_roots_alone")) return Sql("AND NOT c.relispartition");
  if (is_mutant("fence_on_leaves_alone")) return Sql("AND c.relkind = 'r'");
  if (is_mutant("fence_not_on_middle_levels")) return Sql("AND NOT (c.relkind = 'p' AND c.relispartition)");
  if (is_mutant("fence_not_on_unpublished")) return Sql("AND c.relpersistence = 'p'");
  return Sql("");
}

// Every table a client could write to, with what we must know about its trigger.
Result fence_catalog(Connection& on, Deadline deadline) {
  return on.query(Sql(R"(
    SELECT n.nspname, c.relname,
           EXISTS (SELECT FROM pg_trigger t
                   WHERE t.tgrelid = c.oid AND t.tgname = 'verdigris_fence' AND t.tgenabled = 'O'
                     AND t.tgtype = 62  /* before, statement, insert, delete, update, truncate */
                     AND t.tgfoid = to_regprocedure('verdigris.fence()'))
    FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
    WHERE c.relkind IN ('r', 'p') AND c.relpersistence <> 't'
      AND n.nspname !~ '^pg_' AND n.nspname NOT IN ('information_schema', 'verdigris') {}
    ORDER BY n.nspname, c.relname)",
                      overlooked()),
                  deadline);
}

// Nothing; with a mutant, what disabling a trigger would take, too.
Sql table_locks_of(FenceState state) {
  if (state != FenceState::open || !is_mutant("opening_locks_tables")) return Sql("");
  return Sql(R"(; DO $$ DECLARE t regclass; BEGIN
    FOR t IN SELECT tgrelid FROM pg_trigger WHERE tgname = 'verdigris_fence' LOOP
      EXECUTE 'LOCK TABLE ONLY ' || t || ' IN SHARE ROW EXCLUSIVE MODE';
    END LOOP; END $$)");
}

std::string controller_role(Connection& on, Deadline deadline) {
  return on.query(Sql("SELECT session_user"), deadline).one_row(1).text(0);
}

// The bodies; state is read back by comparing with these, so any other text counts as unknown.
Sql body_of(FenceState state, const std::string& role) {
  if (state == FenceState::open) return Sql(R"( BEGIN /* verdigris: open */ RETURN NULL; END )");
  if (state == FenceState::following)
    return Sql(R"( BEGIN /* verdigris: following */
  IF session_user <> {} THEN
    RAISE EXCEPTION 'verdigris: % is closed for writes, it follows the serving side', TG_RELID::regclass
      USING ERRCODE = 'read_only_sql_transaction', HINT = 'Connect to the serving side.';
  END IF;
  RETURN NULL;
END )",
               Literal(role));
  return Sql(R"( BEGIN /* verdigris: closed */
  RAISE EXCEPTION 'verdigris: % is closed for writes on this server', TG_RELID::regclass
    USING ERRCODE = 'read_only_sql_transaction', HINT = 'Connect to the serving side.';
END )");
}

FenceState state_of(const std::optional<std::string>& body, const std::string& owner) {
  if (!body) return FenceState::absent;
  for (const auto state : {FenceState::open, FenceState::following, FenceState::closed})
    if (*body == body_of(state, owner).text()) return state;
  return FenceState::unknown;
}

Sql replacement_of(const char* function, FenceState state, const std::string& role) {
  return Sql(R"(
    CREATE OR REPLACE FUNCTION {}() RETURNS trigger LANGUAGE plpgsql
    SET search_path = pg_catalog, pg_temp AS {}{})",
             QualifiedName("verdigris", function), Literal(body_of(state, role).text()), table_locks_of(state));
}

void replace_body(Transaction& transaction, const char* function, FenceState state) {
  // Only this body names the role: opening and closing, which clients wait for, need not ask.
  const std::string role = state == FenceState::following
                               ? controller_role(transaction.connection(), transaction.deadline())
                               : std::string{};
  transaction.execute(replacement_of(function, state, role));
}

}  // namespace

std::string_view to_text(FenceState state) {
  switch (state) {
    case FenceState::absent: return "absent";
    case FenceState::open: return "open";
    case FenceState::following: return "following";
    case FenceState::closed: return "closed";
    case FenceState::unknown: return "unknown";
  }
  return "unknown";
}

Fences fences(Connection& on, Deadline deadline) {
  const auto result = on.query_prepared(Sql(R"(
    SELECT f.prosrc, coalesce(pg_get_userbyid(f.proowner), ''), m.prosrc, coalesce(pg_get_userbyid(m.proowner), '')
    FROM (SELECT to_regprocedure('verdigris.fence()') AS f, to_regprocedure('verdigris.marker_fence()') AS m) AS wanted
    LEFT JOIN pg_proc f ON f.oid = wanted.f LEFT JOIN pg_proc m ON m.oid = wanted.m)"),
                                        {}, deadline);
  const auto row = result.one_row(4);
  return {state_of(row.text_or_null(0), row.text(1)), state_of(row.text_or_null(2), row.text(3))};
}

FenceState fence_state(Connection& on, Deadline deadline) { return fences(on, deadline).tables; }

FenceState marker_fence_state(Connection& on, Deadline deadline) { return fences(on, deadline).marker; }

void set_fence(Transaction& transaction, FenceState state) {
  replace_body(transaction, "fence", state);
}

void set_marker_fence(Transaction& transaction, FenceState state) {
  replace_body(transaction, "marker_fence", state);
}

void install_marker_fence(Transaction& transaction) {
  auto& on = transaction.connection();
  if (marker_fence_state(on, transaction.deadline()) == FenceState::absent)
    set_marker_fence(transaction, FenceState::open);
  const auto there = on.query(Sql(R"(
    SELECT count(*) FROM pg_trigger WHERE tgrelid = 'verdigris.marker'::regclass AND tgname = 'verdigris_marker_fence')"),
                              transaction.deadline());
  if (there.one_row(1).integer(0) == 0) transaction.execute(marker_trigger_statement({"verdigris", "marker"}));
}

Sql marker_trigger_statement(const QualifiedName& marker) {
  return Sql(R"(
    CREATE TRIGGER verdigris_marker_fence BEFORE INSERT OR UPDATE OR DELETE OR TRUNCATE ON {}
    FOR EACH STATEMENT EXECUTE FUNCTION verdigris.marker_fence())",
             marker);
}

std::vector<QualifiedName> tables_without_fence(Connection& on, Deadline deadline) {
  std::vector<QualifiedName> out;
  const auto result = fence_catalog(on, deadline);
  for (const auto& row : result.rows(3))
    if (!row.boolean(2)) out.emplace_back(row.text(0), row.text(1));
  return out;
}

void install_fence_triggers(Connection& on, FenceBy by, milliseconds lock_timeout, Deadline deadline) {
  constexpr std::size_t kTogether = 100;
  const auto tables = tables_without_fence(on, deadline);
  const std::size_t step = by == FenceBy::hundreds ? kTogether : 1;
  for (std::size_t at = 0; at < tables.size(); at += step) {
    const auto end = std::min(at + step, tables.size());
    const auto more = end - at > 1 ? " and of tables behind it" : "";
    with_lock_retries(on, "the fence trigger of " + tables[at].display() + more, lock_timeout, deadline,
                      [&](Transaction& transaction) {
                        // The last one's commit waits for the disk, and for all before it.
                        transaction.execute(end < tables.size() ? Sql("SET LOCAL client_min_messages = warning; "
                                                                      "SET LOCAL synchronous_commit = off")
                                                                : Sql("SET LOCAL client_min_messages = warning"));
                        for (auto i = at; i < end; ++i)
                          for (const auto& one : trigger_statements(Sql("{}", tables[i]))) transaction.execute(one);
                      });
  }
}

std::vector<Sql> trigger_statements(const Sql& table) {
  return {Sql("DROP TRIGGER IF EXISTS verdigris_fence ON {}", table), Sql(R"(
        CREATE TRIGGER verdigris_fence BEFORE INSERT OR UPDATE OR DELETE OR TRUNCATE ON {}
        FOR EACH STATEMENT EXECUTE FUNCTION verdigris.fence())",
                                                                          table)};
}

Sql trigger_removing_statement(const Sql& table) { return Sql("DROP TRIGGER verdigris_fence ON {}", table); }

std::vector<QualifiedName> tables_with_fence(Connection& on, Deadline deadline) {
  const auto result = on.query(Sql(R"(
    SELECT n.nspname, c.relname FROM pg_trigger t
    JOIN pg_class c ON c.oid = t.tgrelid JOIN pg_namespace n ON n.oid = c.relnamespace
    WHERE t.tgname = 'verdigris_fence' AND NOT t.tgisinternal AND t.tgparentid = 0 ORDER BY n.nspname, c.relname)"),
                               deadline);
  std::vector<QualifiedName> out;
  for (const auto& row : result.rows(2)) out.emplace_back(row.text(0), row.text(1));
  return out;
}

void remove_fence_triggers(Connection& on, milliseconds lock_timeout, Deadline deadline) {
  for (const auto& table : tables_with_fence(on, deadline))
    with_lock_retries(on, "the fence trigger of " + table.display(), lock_timeout, deadline, [&](Transaction& transaction) {
      transaction.execute(trigger_removing_statement(Sql("{}", table)));
    });
}

Sql fence_statement(FenceState state) { return replacement_of("fence", state, {}); }
Sql following_statement(const std::string& controller) { return replacement_of("fence", FenceState::following, controller); }
Sql marker_fence_statement(FenceState state) { return replacement_of("marker_fence", state, {}); }

namespace {

constexpr auto kPrepared = BasicSqlText<>(
    "SELECT gid, owner, to_char(prepared AT TIME ZONE 'UTC', 'YYYY-MM-DD HH24:MI:SS\"Z\"'), "
    "extract(epoch FROM clock_timestamp() - prepared)::float8 "
    "FROM pg_prepared_xacts WHERE database = current_database() ORDER BY prepared");

std::vector<PreparedTransaction> prepared_in(const Result& result) {
  std::vector<PreparedTransaction> out;
  for (const auto& row : result.rows(4)) out.push_back({row.text(0), row.text(1), row.text(2), row.real(3)});
  return out;
}

std::optional<PreparedTransaction> oldest_of(const std::vector<PreparedTransaction>& all) {
  return all.empty() ? std::nullopt : std::optional(all.front());
}

}  // namespace

std::string PreparedTransaction::describe() const {
  return "\"" + gid + "\" of " + owner + ", prepared " + since + ", " + std::to_string(static_cast<long>(seconds)) + " s ago";
}

std::vector<PreparedTransaction> prepared_transactions(Connection& on, Deadline deadline) {
  return prepared_in(on.query(Sql(kPrepared), deadline));
}

std::optional<PreparedTransaction> prepared_transaction(Connection& on, Deadline deadline) {
  return oldest_of(prepared_transactions(on, deadline));
}

std::vector<QualifiedName> fenced_tables(Connection& on, Deadline deadline) {
  std::vector<QualifiedName> out;
  const auto result = fence_catalog(on, deadline);
  for (const auto& row : result.rows(3)) out.emplace_back(row.text(0), row.text(1));
  return out;
}

Sql closing_statement(milliseconds lock_timeout, Flush flush, const std::vector<QualifiedName>& tables) {
  const auto patience = is_mutant("endless_fence_lock") ? 0 : lock_timeout.count();
  std::vector<Sql> statements{Sql("SET LOCAL lock_timeout = {}", Number(patience)),
                              fence_statement(FenceState::closed)};
  if (is_mutant("fence_by_session_lock")) statements = {Sql("BEGIN"), statements.front()};
  if (flush == Flush::later) statements.push_back(Sql("SET LOCAL synchronous_commit = off"));
  if (!tables.empty() && !is_mutant("fence_without_lock"))
    statements.push_back(Sql("LOCK TABLE ONLY {} IN SHARE ROW EXCLUSIVE MODE", Sql::joined(tables, ", ONLY ")));
  statements.push_back(Sql(kPrepared));
  return Sql::joined(statements, "; ");
}

namespace {

ClosedFence close_these(Connection& on, milliseconds lock_timeout, Deadline deadline, Flush flush,
                        const std::vector<QualifiedName>& tables) {
  const auto result = on.commit_alone(closing_statement(lock_timeout, flush, tables), deadline);
  return {static_cast<int>(tables.size()), {}, oldest_of(prepared_in(result))};
}

}  // namespace

ClosedFence close_fence(Connection& on, milliseconds lock_timeout, Deadline deadline, Flush flush,
                        const std::vector<QualifiedName>& tables) {
  if (!tables.empty()) {
    try {
      return close_these(on, lock_timeout, deadline, flush, tables);
    } catch (const ServerError& error) {
      const bool is_gone = error.sqlstate() == "42P01" || error.sqlstate() == "3F000";
      if (!is_gone) throw;  // else one was dropped meanwhile: looked up anew
    }
  }
  const auto result = fence_catalog(on, deadline);
  std::vector<QualifiedName> found, without_trigger;
  for (const auto& row : result.rows(3)) {
    found.emplace_back(row.text(0), row.text(1));
    if (!row.boolean(2)) without_trigger.push_back(found.back());
  }
  auto closed = close_these(on, lock_timeout, deadline, flush, found);
  closed.without_trigger = std::move(without_trigger);
  return closed;
}

}  // namespace verdigris
