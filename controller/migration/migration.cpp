#include "controller/migration/migration.hpp"

#include "replication/lock_retry.hpp"

namespace verdigris {
namespace {

void create_record_table(Connection& on, Deadline deadline) {
  on.take_notices();
  on.execute(migration_table_statement(), deadline);
}

struct Applied {
  std::string name;
  std::string sha256;
};

std::vector<Applied> applied_migrations(Connection& on, const std::string& deployment, Deadline deadline) {
  if (!on.query(Sql("SELECT to_regclass('verdigris.migration') IS NOT NULL"), deadline).one_row(1).boolean(0))
    return {};
  const Result answer =
      on.query(Sql("SELECT name, sha256 FROM verdigris.migration WHERE deployment = $1 ORDER BY name COLLATE \"C\""),
               {deployment}, deadline);
  std::vector<Applied> list;
  for (const Row& row : answer.rows(2)) list.push_back({row.text(0), row.text(1)});
  return list;
}

// The text is a person's; it runs as it would in their own session, but never waits long for a lock.
void run_text(Connection& on, const Migration& migration, const std::string& text,
              std::chrono::milliseconds lock_timeout, Deadline deadline,
              const std::function<void(Transaction&)>& record) {
  try {
    with_lock_retries(on, "migration " + migration.name, lock_timeout, deadline, [&](Transaction& transaction) {
      transaction.execute(Sql(R"(SET LOCAL search_path TO "$user", public)"));
      // It is the application's DDL, not ours: what answers it elsewhere answers it here.
      if (on.major() >= 17) transaction.execute(Sql("SET LOCAL event_triggers = on"));
      transaction.execute(Sql::written_by_operator(text));
      if (on.major() >= 17) transaction.execute(Sql("SET LOCAL event_triggers = off"));
      transaction.execute(Sql("SET LOCAL search_path TO pg_catalog, pg_temp"));
      record(transaction);
    });
  } catch (const ServerError& error) {
    throw Error("migration.failed", "migration " + migration.name + ": " + error.what(),
                "Nothing of it was kept; correct the file, then repeat the command.");
  }
}

}  // namespace

Sql migration_table_statement() {
  return Sql(R"(
    CREATE TABLE IF NOT EXISTS verdigris.migration (
      deployment text NOT NULL, name text NOT NULL, sha256 text NOT NULL,
      applied_at timestamptz NOT NULL DEFAULT pg_catalog.now(), PRIMARY KEY (deployment, name)))");
}

Sql migration_record_statement() {
  return Sql("INSERT INTO verdigris.migration (deployment, name, sha256) VALUES ($1, $2, $3)");
}

std::vector<std::string> pending_migrations(Connection& on, const std::string& deployment,
                                            const std::vector<Migration>& migrations, Deadline deadline) {
  const auto applied = applied_migrations(on, deployment, deadline);
  for (std::size_t i = 0; i < applied.size(); ++i) {
    if (i >= migrations.size() || migrations[i].name != applied[i].name)
      throw Refused("migration.order",
                    on.server() + ": migration " + applied[i].name + " is applied but is not number " +
                        std::to_string(i + 1) + " of the folder",
                    "Add new migrations after the applied ones, and keep those.");
    if (migrations[i].sha256 != applied[i].sha256)
      throw Refused("migration.changed",
                    on.server() + ": migration " + applied[i].name + " was applied with another text",
                    "Restore its up.sql and write the change as a new migration.");
  }
  std::vector<std::string> pending;
  for (std::size_t i = applied.size(); i < migrations.size(); ++i) pending.push_back(migrations[i].name);
  return pending;
}

void apply_migrations(Connection& on, const std::string& deployment, const std::vector<Migration>& migrations,
                      std::chrono::milliseconds lock_timeout, Deadline deadline) {
  const auto pending = pending_migrations(on, deployment, migrations, deadline);
  if (pending.empty()) return;
  create_record_table(on, deadline);
  for (std::size_t i = migrations.size() - pending.size(); i < migrations.size(); ++i) {
    const Migration& migration = migrations[i];
    run_text(on, migration, migration.up, lock_timeout, deadline, [&](Transaction& transaction) {
      transaction.query(migration_record_statement(), {deployment, migration.name, migration.sha256});
    });
  }
}

void revert_migrations(Connection& on, const std::string& deployment, const std::vector<Migration>& migrations,
                       std::chrono::milliseconds lock_timeout, Deadline deadline) {
  const auto pending = pending_migrations(on, deployment, migrations, deadline);
  for (std::size_t i = migrations.size() - pending.size(); i-- > 0;) {
    const Migration& migration = migrations[i];
    run_text(on, migration, migration.down, lock_timeout, deadline, [&](Transaction& transaction) {
      transaction.query(Sql("DELETE FROM verdigris.migration WHERE deployment = $1 AND name = $2"),
                        {deployment, migration.name});
    });
  }
}

}  // namespace verdigris
