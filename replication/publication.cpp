#include "replication/publication.hpp"

#include <algorithm>

#include "replication/lock_retry.hpp"

namespace verdigris {
namespace {

struct Publication {
  bool is_ours_in_form;   // a table list, neither FOR ALL TABLES nor of schemas
  bool has_our_settings;  // all four actions, leaf by leaf
  std::vector<PublishedTable> tables;
};

// to_jsonb: column lists exist from 15 on, and one statement serves all majors.
std::vector<PublishedTable> read_tables(Connection& on, const Stream& stream, Deadline deadline) {
  const Result answer = on.query(Sql(R"(
    SELECT n.nspname, c.relname, a.attname
    FROM pg_publication p JOIN pg_publication_rel r ON r.prpubid = p.oid
    JOIN pg_class c ON c.oid = r.prrelid JOIN pg_namespace n ON n.oid = c.relnamespace
    LEFT JOIN pg_attribute a ON a.attrelid = c.oid
      AND to_jsonb(r) -> 'prattrs' @> to_jsonb(a.attnum)
    WHERE p.pubname = $1
    ORDER BY n.nspname, c.relname, a.attnum)"),
                                 {stream.name}, deadline);
  std::vector<PublishedTable> tables;
  for (const Row& row : answer.rows(3)) {
    QualifiedName name(row.text(0), row.text(1));
    if (tables.empty() || tables.back().name != name) tables.push_back({std::move(name)});
    if (const auto column = row.text_or_null(2)) tables.back().columns.emplace_back(*column);
  }
  return tables;
}

std::optional<Publication> read_publication(Connection& on, const Stream& stream, Deadline deadline) {
  const Result answer = on.query(Sql(R"(
    SELECT p.puballtables, pubinsert AND pubupdate AND pubdelete AND pubtruncate AND NOT pubviaroot
    FROM pg_publication p WHERE p.pubname = $1)"),
                                 {stream.name}, deadline);
  const auto row = answer.at_most_one_row(2);
  if (!row) return std::nullopt;
  bool has_schemas = false;
  if (on.major() >= 15)
    has_schemas = on.query(Sql(R"(
      SELECT EXISTS (SELECT FROM pg_publication_namespace s JOIN pg_publication p ON p.oid = s.pnpubid
                     WHERE p.pubname = $1))"),
                           {stream.name}, deadline)
                      .one_row(1)
                      .boolean(0);
  return Publication{!row->boolean(0) && !has_schemas, row->boolean(1), read_tables(on, stream, deadline)};
}

// ONLY: a parent of plain inheritance would bring its children along; they are in the list by themselves.
Sql table_list(const std::vector<PublishedTable>& tables) {
  std::vector<Sql> items;
  for (const auto& table : tables)
    items.push_back(table.columns.empty() ? Sql("ONLY {}", table.name)
                                          : Sql("ONLY {} ({})", table.name, Sql::joined(table.columns, ", ")));
  return Sql::joined(items, ", ");
}

std::vector<PublishedTable> with_marker(const Stream& stream, std::vector<PublishedTable> tables) {
  const auto marker = stream.marker();
  if (std::none_of(tables.begin(), tables.end(), [&](const auto& table) { return table.name == marker; }))
    tables.push_back({marker});
  std::sort(tables.begin(), tables.end(), [](const auto& a, const auto& b) { return a.name < b.name; });
  return tables;
}

// Column order inside a list means nothing.
bool is_same(std::vector<PublishedTable> a, std::vector<PublishedTable> b) {
  for (auto* list : {&a, &b})
    for (auto& table : *list) std::sort(table.columns.begin(), table.columns.end());
  return a == b;
}

Sql settings_statement(const Stream& stream) {
  return Sql("ALTER PUBLICATION {} SET (publish = 'insert, update, delete, truncate', publish_via_partition_root = false)",
             stream.identifier());
}

void require_column_lists(const Connection& on, const std::vector<PublishedTable>& tables) {
  if (on.major() >= 15) return;
  for (const auto& table : tables)
    if (!table.columns.empty())
      throw Refused("publication.columns",
                    on.server() + ": table " + table.name.display() +
                        " needs a column list in its publication, which "
                        "PostgreSQL " +
                        std::to_string(on.major()) + " does not have",
                    "Leave the table's columns alike on both sides.");
}

}  // namespace

std::vector<PublishedTable> publishable(const std::vector<Table>& tables, const TableSelection& filter) {
  std::vector<PublishedTable> list;
  for (const auto& table : tables)
    if (!table.is_partition && filter.selects(table)) list.push_back({table.name});
  return list;
}

std::vector<Sql> publishing_statements(Connection& on, const Stream& stream, const std::vector<PublishedTable>& tables,
                                       Deadline deadline) {
  const auto wanted = with_marker(stream, tables);
  require_column_lists(on, wanted);
  const auto found = read_publication(on, stream, deadline);
  if (found && !found->is_ours_in_form)
    throw Refused("publication.foreign",
                  on.server() + ": publication " + stream.name + " exists and is not a list of tables",
                  "Drop or rename that publication if nothing uses it.");
  const bool has_tables = found && is_same(found->tables, wanted);
  if (has_tables && found->has_our_settings) return {};
  if (!found) return publishing_statements(stream, table_list(wanted));
  std::vector<Sql> statements;
  if (!has_tables) statements.push_back(Sql("ALTER PUBLICATION {} SET TABLE {}", stream.identifier(), table_list(wanted)));
  statements.push_back(settings_statement(stream));
  return statements;
}

std::vector<Sql> publishing_statements(const Stream& stream, const Sql& tables) {
  return {Sql("CREATE PUBLICATION {} FOR TABLE {}", stream.identifier(), tables), settings_statement(stream)};
}

void ensure_publication(Connection& on, const Stream& stream, const std::vector<PublishedTable>& tables,
                        Deadline deadline) {
  const auto statements = publishing_statements(on, stream, tables, deadline);
  if (statements.empty()) return;
  // Waits for VACUUM, ANALYZE and concurrent index builds on these tables, not for writers (copy.md section 3).
  with_lock_retries(on, "publication " + stream.name, kLockTimeout, deadline, [&](Transaction& transaction) {
    for (const auto& statement : statements) transaction.execute(statement);
  });
}

void ensure_publications(Connection& on, const Streams& streams, const GroupedTables& tables, Deadline deadline) {
  if (!streams.is_grouped()) return ensure_publication(on, streams.first(), tables.front(), deadline);
  std::vector<Sql> statements;
  for (std::size_t i = 0; i < streams.size(); ++i)
    for (auto& one : publishing_statements(on, streams[i], tables[i], deadline)) statements.push_back(std::move(one));
  if (statements.empty()) return;
  with_lock_retries(on, "publications " + streams.names(), kLockTimeout, deadline, [&](Transaction& transaction) {
    for (const auto& statement : statements) transaction.execute(statement);
  });
}

bool are_published(Connection& on, const Streams& streams, const GroupedTables& tables, Deadline deadline) {
  for (std::size_t i = 0; i < streams.size(); ++i)
    if (!is_published(on, streams[i], tables[i], deadline)) return false;
  return true;
}

bool is_published(Connection& on, const Stream& stream, const std::vector<PublishedTable>& tables, Deadline deadline) {
  const auto found = read_publication(on, stream, deadline);
  return found && found->is_ours_in_form && found->has_our_settings && is_same(found->tables, with_marker(stream, tables));
}

void drop_publication(Connection& on, const Stream& stream, Deadline deadline) {
  on.execute(unpublishing_statement(stream), deadline);
}

void drop_publications(Connection& on, const Streams& streams, Deadline deadline) {
  if (!streams.is_grouped()) return drop_publication(on, streams.first(), deadline);
  Transaction transaction(on, deadline);
  for (const auto& stream : streams) transaction.execute(unpublishing_statement(stream));
  transaction.commit();
}

Sql unpublishing_statement(const Stream& stream) { return Sql("DROP PUBLICATION IF EXISTS {}", stream.identifier()); }

std::optional<std::vector<PublishedTable>> published_tables(Connection& on, const Stream& stream, Deadline deadline) {
  const Result answer =
      on.query(Sql("SELECT EXISTS (SELECT FROM pg_publication WHERE pubname = $1)"), {stream.name}, deadline);
  if (!answer.one_row(1).boolean(0)) return std::nullopt;
  auto tables = read_tables(on, stream, deadline);
  std::erase_if(tables, [marker = stream.marker()](const auto& table) { return table.name == marker; });
  return tables;
}

std::vector<QualifiedName> published_leaves(Connection& on, const Stream& stream, Deadline deadline) {
  const Result answer = on.query(Sql(R"(
    SELECT DISTINCT schemaname, tablename FROM pg_publication_tables WHERE pubname = $1 ORDER BY 1, 2)"),
                                 {stream.name}, deadline);
  std::vector<QualifiedName> names;
  for (const Row& row : answer.rows(2)) names.emplace_back(row.text(0), row.text(1));
  return names;
}

std::vector<QualifiedName> published_leaves(Connection& on, const Streams& streams, Deadline deadline) {
  std::vector<QualifiedName> all;
  for (const auto& stream : streams)
    for (auto& name : published_leaves(on, stream, deadline)) all.push_back(std::move(name));
  std::ranges::sort(all);
  return all;
}

}  // namespace verdigris
