#include "replication/copy/copier.hpp"

#include <algorithm>
#include <set>

#include "replication/copy/copy_begin.hpp"
#include "replication/copy/copy_locks.hpp"
#include "replication/copy/snapshot.hpp"
#include "replication/copy/workers.hpp"
#include "replication/origin.hpp"
#include "replication/test_switches.hpp"

namespace verdigris {
namespace {

constexpr std::chrono::milliseconds kLoginPatience{30'000};

Connection open_target(const Server& target, const std::string& encoding, Deadline deadline) {
  // Asynchronous commits: everything is made durable once at the end. A crash before that takes what is noted of an item
  // along with its rows.
  Connection session = target.open("copy", deadline, false,
                                   {{"synchronous_commit", "off"},
                                    {"client_min_messages", "error"},
                                    {"xmloption", "content"},
                                    {"lc_monetary", "C"},
                                    {"lock_timeout", "10s"}});
  session.execute(Sql("SET session_replication_role = replica; SET client_encoding = {}", Literal(encoding)), deadline);
  return session;
}

// With rows in their files, dead ones too. By one statement, since there may be thousands of tables.
std::set<QualifiedName> with_files(Connection& on, Deadline deadline) {
  const Result answer = on.query(Sql(R"(
    SELECT n.nspname, c.relname FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
    WHERE c.relkind = 'r' AND c.relpersistence <> 't' AND pg_relation_size(c.oid) > 0)"),
                                 deadline);
  std::set<QualifiedName> names;
  for (const Row& row : answer.rows(2)) names.emplace(row.text(0), row.text(1));
  return names;
}

}  // namespace

CopyTotals copy_all_tables(Server& source, Server& target, const Streams& streams, const CopySettings& settings,
                           Deadline deadline) {
  CopyGround ground = begin_copy(source, target, streams, settings, deadline);
  if (settings.say && !ground.account.empty()) settings.say(ground.account);
  const auto login = [&] { return Deadline::after(kLoginPatience).or_earlier(deadline); };
  CopyLocks locks(source, ground, settings.ddl_wait, settings.say);
  const CopySessions sessions{
      [&](const std::stop_token& stop) {
        const auto snapshot = locks.snapshot(stop);
        return open_under_snapshot(source, "copy", snapshot, ground.encoding, login());
      },
      [&] { return open_target(target, ground.encoding, login()); },
      [&](Connection& on, const auto& items) { note_copied(on, target.deployment(), ground.run, items, deadline); },
      settings.throttle};
  const auto look = [&](const CopyProgress& now) {
    locks.look(deadline);
    return settings.look ? settings.look(now) : settings.workers;
  };
  const auto copied = copy_items(std::move(ground.items), settings.workers, sessions, look, deadline);
  // A session that was open already goes on under the snapshot without the locks.
  locks.require_held(deadline);
  durable_wal_position(target.control(), deadline);
  end_keeper(source.control(), source.deployment(), deadline);
  return {ground.record.consistent_point, copied.tables, copied.rows, copied.bytes, ground.account};
}

std::vector<QualifiedName> tables_with_rows(Connection& on, const TableSelection& filter, Deadline deadline) {
  std::vector<QualifiedName> filled;
  const auto files = with_files(on, deadline);
  for (const Table& table : user_tables(on, deadline)) {
    if (table.is_partitioned || !filter.selects(table) || !files.contains(table.name)) continue;
    const Result answer = on.query(Sql("SELECT EXISTS (SELECT FROM ONLY {})", table.name), deadline);
    if (answer.one_row(1).boolean(0)) filled.push_back(table.name);
  }
  return filled;
}

void truncate_tables(Connection& on, const TableSelection& filter, Deadline deadline) {
  const auto statement = truncating_statement(on, filter, deadline);
  if (!statement) return;
  Transaction transaction(on, deadline);
  // As the apply worker: no trigger of ours or of the application answers.
  transaction.execute(Sql("SET LOCAL session_replication_role = replica"));
  transaction.execute(*statement);
  transaction.commit();
}

std::optional<Sql> truncating_statement(Connection& on, const TableSelection& filter, Deadline deadline) {
  const auto tables = user_tables(on, deadline);
  const auto files = with_files(on, deadline);
  if (std::ranges::none_of(tables, [&](const auto& table) { return filter.selects(table) && files.contains(table.name); }))
    return std::nullopt;
  std::vector<Sql> names;
  for (const Table& table : tables)
    if (!table.is_partition && filter.selects(table))  // a root brings its partitions, and only with it may they go
      names.push_back(table.is_partitioned ? Sql("{}", table.name) : Sql("ONLY {}", table.name));
  if (names.empty()) return std::nullopt;
  return Sql("TRUNCATE {}", Sql::joined(names, ", "));
}

}  // namespace verdigris
