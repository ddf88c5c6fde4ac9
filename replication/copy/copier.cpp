#include "replication/copy/copier.hpp"

#include <algorithm>
#include <set>

#include "replication/copy/plan.hpp"
#include "replication/copy/snapshot.hpp"
#include "replication/copy/workers.hpp"
#include "replication/origin.hpp"
#include "replication/slot.hpp"

namespace verdigris {
namespace {

constexpr std::chrono::milliseconds kLoginPatience{30'000};

bool is_alive(Connection& session) {
  try {
    session.execute(Sql("SELECT 1"), Deadline::after(kLoginPatience));
    return true;
  } catch (const Error&) {
    return false;
  }
}

Error table_changed(const Server& source) {
  return {"copy.changed", source.color() + ": a table was truncated, rewritten or dropped during the copy",
          "Repeat the command when no such work is under way."};
}

// In which the rows travel: as the target stores them, so that at most one side converts.
std::string encoding_of(Connection& target, Deadline deadline) {
  return target.query(Sql("SELECT current_setting('server_encoding')"), deadline).one_row(1).text(0);
}

Connection open_target(const Server& target, const std::string& encoding, Deadline deadline) {
  // Asynchronous commits: everything is made durable once at the end, and a crash before that starts over.
  Connection session = target.open("copy", deadline, false,
                                   {{"synchronous_commit", "off"},
                                    {"client_min_messages", "error"},
                                    {"xmloption", "content"},
                                    {"lc_monetary", "C"},
                                    {"lock_timeout", "10s"}});
  session.execute(Sql("SET session_replication_role = replica; SET client_encoding = {}", Literal(encoding)), deadline);
  return session;
}

// By name, as `plan` says it.
std::vector<QualifiedName> names_of(const std::vector<CopyItem>& items) {
  std::vector<QualifiedName> names;
  for (const auto& item : items) names.push_back(item.table);
  std::ranges::sort(names);
  return names;
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

CopyTotals copy_all_tables(Server& source, Server& target, const Stream& stream, const CopySettings& settings,
                           Deadline deadline) {
  drop_slot(source.control(), stream, deadline);
  truncate_tables(target.control(), settings.filter, deadline);
  auto items = copy_plan(user_tables(source.control(), deadline), settings.filter);
  mark_referenced(items, target.control(), deadline);
  choose_formats(items, source.control(), target.control(), deadline);
  const auto names = names_of(items);
  const auto before = storage_digest(source.control(), names, deadline);
  SlotSnapshot slot = create_slot_with_snapshot(source, stream, deadline);
  const auto encoding = encoding_of(target.control(), deadline);
  Connection keeper = open_under_snapshot(source, "keeper", slot.name, encoding, deadline);
  // The keeper's own: whoever reads under it reads what the keeper's locks protect, and with the keeper it ends.
  const auto snapshot = keeper.query(Sql("SELECT pg_export_snapshot()"), deadline).one_row(1).text(0);
  slot.session.close();
  lock_tables(keeper, names, deadline);
  if (storage_digest(source.control(), names, deadline) != before)
    throw table_changed(source);
  split_tail(items, settings.workers, source.control(), deadline);
  const auto login = [&] { return Deadline::after(kLoginPatience).or_earlier(deadline); };
  const CopySessions sessions{[&] { return open_under_snapshot(source, "copy", snapshot, encoding, login()); },
                              [&] { return open_target(target, encoding, login()); }};
  const auto look = [&](const CopyProgress& now) { return settings.look ? settings.look(now) : settings.workers; };
  const auto copied = copy_items(std::move(items), settings.workers, sessions, look, deadline);
  // A session that was open already goes on under the snapshot without the locks.
  if (!keeper.is_open() || !is_alive(keeper)) throw snapshot_lost(source.color() + ": its session was ended");
  if (storage_digest(source.control(), names, deadline) != before) throw table_changed(source);
  durable_wal_position(target.control(), deadline);
  return {slot.consistent_point, copied.tables, copied.rows, copied.bytes};
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
