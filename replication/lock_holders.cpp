#include "replication/lock_holders.hpp"

#include "replication/errors.hpp"

namespace verdigris {

std::string LockHolder::describe() const {
  const std::string who = kind == "client backend" ? user + ", application \"" + application + "\"" : kind;
  return "pid " + std::to_string(pid) + " (" + who + ", " + mode + " on " + table +
         (query_start.empty() ? "" : ", query began " + query_start) + (query.empty() ? "" : ": \"" + query + "\"") + ")";
}

namespace {

// modes: as pg_locks names them.
std::vector<LockHolder> lock_holders(Connection& on, const std::vector<std::string>& modes, Deadline deadline) {
  const auto result = on.query(Sql(R"(
    SELECT DISTINCT ON (a.xact_start, a.pid) a.pid, coalesce(a.usename, ''), coalesce(a.application_name, ''),
           coalesce(a.backend_type, ''), format('%I.%I', n.nspname, c.relname), l.mode,
           left(regexp_replace(coalesce(a.query, ''), '\s+', ' ', 'g'), 80),
           coalesce(to_char(a.query_start AT TIME ZONE 'UTC', 'YYYY-MM-DD HH24:MI:SS"Z"'), ''),
           a.backend_type = 'autovacuum worker' AND a.query !~ 'to prevent wraparound'
    FROM pg_locks l JOIN pg_stat_activity a ON a.pid = l.pid JOIN pg_class c ON c.oid = l.relation
    JOIN pg_namespace n ON n.oid = c.relnamespace
    WHERE l.granted AND l.database = (SELECT oid FROM pg_database WHERE datname = current_database())
      AND l.pid <> pg_backend_pid() AND NOT starts_with(coalesce(a.application_name, ''), 'verdigris')
      AND c.relkind IN ('r', 'p') AND n.nspname !~ '^pg_' AND n.nspname NOT IN ('information_schema', 'verdigris')
      AND l.mode = ANY ($1::text[])
    ORDER BY a.xact_start, a.pid, n.nspname, c.relname)"),
                               {text_array(modes)}, deadline);
  std::vector<LockHolder> out;
  for (const auto& row : result.rows(9))
    out.push_back({static_cast<int>(row.integer(0)), row.text(1), row.text(2), row.text(3), row.text(4), row.text(5),
                   row.text(6), row.text(7), row.boolean(8)});
  return out;
}

std::vector<std::string> modes_against_apply() {
  return {"ShareLock", "ShareRowExclusiveLock", "ExclusiveLock", "AccessExclusiveLock"};
}

}  // namespace

std::vector<LockHolder> fence_lock_holders(Connection& on, Writers writers, Deadline deadline) {
  auto modes = modes_against_apply();
  modes.emplace_back("ShareUpdateExclusiveLock");
  if (writers == Writers::count) modes.emplace_back("RowExclusiveLock");
  return lock_holders(on, modes, deadline);
}

std::vector<LockHolder> apply_lock_holders(Connection& on, Deadline deadline) {
  auto holders = lock_holders(on, modes_against_apply(), deadline);
  std::erase_if(holders, [](const LockHolder& one) { return one.kind.starts_with("logical replication"); });
  return holders;
}

Sql cancel_statement() { return Sql("SELECT pg_cancel_backend($1::int)"); }

bool cancel_those_that_give_way(Connection& on, const std::vector<LockHolder>& holders, Deadline deadline) {
  bool has_cancelled = false;
  for (const auto& one : holders) {
    if (!one.gives_way) continue;
    try {
      on.query(cancel_statement(), {std::to_string(one.pid)}, deadline);
      has_cancelled = true;
    } catch (const ServerError& error) {
      if (error.sqlstate() != "42501") throw;
      return false;
    }
  }
  return has_cancelled;
}

}  // namespace verdigris
