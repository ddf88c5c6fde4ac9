#include "replication/replica_identity.hpp"

#include <algorithm>

#include "replication/control_schema.hpp"
#include "replication/lock_retry.hpp"

namespace verdigris {
namespace {

constexpr std::chrono::milliseconds kIdentityLockTimeout{500};  // ACCESS EXCLUSIVE: readers queue behind us meanwhile
constexpr const char* kSavedPrefix = "identity:";

std::vector<Table> selected_leaves(Connection& on, const TableSelection& filter, Deadline deadline) {
  auto tables = user_tables(on, deadline);
  std::erase_if(tables, [&](const Table& table) { return table.is_partitioned || !filter.selects(table); });
  return tables;
}

std::string oid_array(const std::vector<const Table*>& tables) {
  std::vector<std::string> oids;
  for (const Table* table : tables) oids.push_back(std::to_string(table->oid));
  return text_array(oids);
}

// The best index of each table: the primary key if only the setting is wrong, else the narrowest usable unique one. A
// generated column is not sent, so an index over one identifies nothing on the other side.
std::vector<IdentityChange> choose(Connection& on, const std::vector<const Table*>& tables, Deadline deadline) {
  const Result answer = on.query(Sql(R"(
    SELECT n.nspname, c.relname, best.indexname, best.indisprimary,
           jsonb_build_object('schema', n.nspname, 'table', c.relname, 'identity', c.relreplident,
                              'index', (SELECT ic.relname FROM pg_index i JOIN pg_class ic ON ic.oid = i.indexrelid
                                        WHERE i.indrelid = c.oid AND i.indisreplident))
    FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
    LEFT JOIN LATERAL (
      SELECT ic.relname AS indexname, i.indisprimary
      FROM pg_index i JOIN pg_class ic ON ic.oid = i.indexrelid
      WHERE i.indrelid = c.oid AND i.indisunique AND i.indimmediate AND i.indisvalid AND i.indisready
        AND i.indpred IS NULL AND i.indexprs IS NULL
        AND NOT EXISTS (SELECT FROM unnest(i.indkey::int2[]) WITH ORDINALITY AS k(attnum, position)
                        JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum = k.attnum
                        WHERE k.position <= i.indnkeyatts AND (NOT a.attnotnull OR a.attgenerated <> ''))
      ORDER BY i.indisprimary DESC, i.indnkeyatts, pg_relation_size(ic.oid), ic.relname LIMIT 1) AS best ON true
    WHERE c.oid = ANY ($1::oid[]) ORDER BY n.nspname, c.relname)"),
                                 {oid_array(tables)}, deadline);
  std::vector<IdentityChange> changes;
  for (const Row& row : answer.rows(5)) {
    IdentityChange change{{row.text(0), row.text(1)}, IdentityChange::To::full, {}, row.text(4)};
    if (!row.is_null(2)) {
      change.to = row.boolean(3) ? IdentityChange::To::primary_key : IdentityChange::To::index;
      change.index.emplace(row.text(2));
    }
    changes.push_back(std::move(change));
  }
  return changes;
}

// FULL finds rows by comparing every column, as the apply worker does: default equality of a btree or hash class.
// Domains, arrays and composites are as good as what they are made of.
void require_comparable(Connection& on, const std::vector<const Table*>& tables, Deadline deadline) {
  const Result answer = on.query(Sql(R"(
    WITH RECURSIVE part(relid, attname, typid) AS (
      SELECT a.attrelid, a.attname, a.atttypid FROM pg_attribute a
      WHERE a.attrelid = ANY ($1::oid[]) AND a.attnum > 0 AND NOT a.attisdropped
      UNION
      SELECT p.relid, p.attname, inner_type.typid
      FROM part p JOIN pg_type t ON t.oid = p.typid CROSS JOIN LATERAL (
        SELECT t.typbasetype WHERE t.typtype = 'd'
        UNION ALL SELECT t.typelem WHERE t.typtype = 'b' AND t.typelem <> 0 AND t.typlen = -1
        UNION ALL SELECT a.atttypid FROM pg_attribute a
                  WHERE t.typtype = 'c' AND a.attrelid = t.typrelid AND a.attnum > 0 AND NOT a.attisdropped
      ) AS inner_type(typid))
    SELECT string_agg(DISTINCT format('%s.%s.%s (%s)', n.nspname, c.relname, p.attname, format_type(t.oid, NULL)), ', ')
    FROM part p JOIN pg_type t ON t.oid = p.typid
    JOIN pg_class c ON c.oid = p.relid JOIN pg_namespace n ON n.oid = c.relnamespace
    WHERE t.typtype = 'b' AND NOT (t.typelem <> 0 AND t.typlen = -1)
      AND NOT EXISTS (
        SELECT FROM pg_opclass o JOIN pg_am m ON m.oid = o.opcmethod
        WHERE o.opcdefault AND m.amname IN ('btree', 'hash')
          AND (o.opcintype = t.oid OR EXISTS (
                 SELECT FROM pg_cast x WHERE x.castsource = t.oid AND x.casttarget = o.opcintype
                   AND x.castmethod = 'b' AND x.castcontext = 'i'))))"),
                                 {oid_array(tables)}, deadline);
  const auto columns = answer.one_row(1).text_or_null(0);
  if (!columns) return;
  throw Refused("ri.full-type",
                on.server() +
                    ": tables without a key have columns whose type has no equality, so REPLICA IDENTITY FULL "
                    "cannot find their rows: " +
                    *columns,
                "Add a primary key or a unique index over NOT NULL columns to these tables, or exclude them.");
}

bool is_in_identity(const Table& table, const Column& column, bool is_full) {
  return is_full || std::find(table.key.begin(), table.key.end(), column.name) != table.key.end();
}

// 18 refuses UPDATE and DELETE where an unsent generated column is part of the identity.
void require_no_generated(const Connection& on, const std::vector<Table>& tables,
                          const std::vector<const Table*>& full) {
  std::string list;
  for (const Table& table : tables) {
    const bool is_full = std::find(full.begin(), full.end(), &table) != full.end();
    for (const Column& column : table.columns)
      if (column.is_generated() && is_in_identity(table, column, is_full))
        list += (list.empty() ? "" : ", ") + table.name.display() + "." + column.name.raw();
  }
  if (list.empty()) return;
  throw Refused("ri.generated",
                on.server() +
                    ": the replica identity would contain generated columns, which PostgreSQL 18 does not "
                    "send: " +
                    list,
                "Add a key over other columns to these tables, or exclude them.");
}

Sql altering_of(const QualifiedName& table, const std::string& identity, const std::optional<Identifier>& index) {
  if (identity == "f") return Sql("ALTER TABLE {} REPLICA IDENTITY FULL", table);
  if (identity == "d") return Sql("ALTER TABLE {} REPLICA IDENTITY DEFAULT", table);
  if (identity == "i" && index) return Sql("ALTER TABLE {} REPLICA IDENTITY USING INDEX {}", table, *index);
  return Sql("ALTER TABLE {} REPLICA IDENTITY NOTHING", table);  // 'i' whose index is gone means nothing
}

const char* to_letter(IdentityChange::To to) {
  switch (to) {
    case IdentityChange::To::primary_key:
      return "d";
    case IdentityChange::To::index:
      return "i";
    case IdentityChange::To::full:
      break;
  }
  return "f";
}

// Nothing if the table is gone.
std::optional<Sql> restoring_of(Connection& on, const std::string& value, Deadline deadline) {
  const Result answer = on.query(Sql(R"(
    SELECT n.nspname, c.relname, v ->> 'identity', (SELECT ic.relname FROM pg_index i JOIN pg_class ic ON ic.oid = i.indexrelid
                                                    WHERE i.indrelid = c.oid AND ic.relname = v ->> 'index')
    FROM (SELECT $1::jsonb AS v) AS saved
    JOIN pg_namespace n ON n.nspname = v ->> 'schema'
    JOIN pg_class c ON c.relnamespace = n.oid AND c.relname = v ->> 'table' AND c.relkind IN ('r', 'p'))"),
                                 {value}, deadline);
  const auto row = answer.at_most_one_row(4);
  if (!row) return std::nullopt;
  std::optional<Identifier> index;
  if (!row->is_null(3)) index.emplace(row->text(3));
  return altering_of({row->text(0), row->text(1)}, row->text(2), index);
}

void restore_one(Transaction& transaction, const std::string& deployment, const std::string& key,
                 const std::string& value) {
  const auto statement = restoring_of(transaction.connection(), value, transaction.deadline());
  if (statement) transaction.execute(*statement);
  forget_value(transaction.connection(), deployment, key, transaction.deadline());
}

}  // namespace

std::vector<IdentityChange> plan_identities(Connection& on, const TableSelection& filter, int other_major,
                                            Deadline deadline) {
  const auto tables = selected_leaves(on, filter, deadline);
  std::vector<const Table*> without;
  std::vector<const Table*> full;
  for (const Table& table : tables) {
    if (table.replica_identity == 'f')
      full.push_back(&table);
    else if (table.key.empty())
      without.push_back(&table);
  }
  auto changes = choose(on, without, deadline);
  for (const Table* table : without)
    if (std::any_of(changes.begin(), changes.end(), [&](const IdentityChange& change) {
          return change.table == table->name && change.to == IdentityChange::To::full;
        }))
      full.push_back(table);
  require_comparable(on, full, deadline);
  if (std::max(on.major(), other_major) >= 18) require_no_generated(on, tables, full);
  return changes;
}

void require_no_change(const Connection& on, const std::vector<IdentityChange>& changes) {
  if (changes.empty()) return;
  std::string list;
  for (const auto& change : changes) list += (list.empty() ? "" : ", ") + change.table.display();
  throw Refused("ri.none", on.server() + ": tables without a replica identity: " + list,
                "Add primary keys, or let replication.identity be auto.");
}

Sql altering_statement(const IdentityChange& change) { return altering_of(change.table, to_letter(change.to), change.index); }

void apply_identities(Connection& on, const std::string& deployment, const std::vector<IdentityChange>& changes,
                      Deadline deadline) {
  for (const auto& change : changes)
    with_lock_retries(on, "replica identity of " + change.table.display(), kIdentityLockTimeout, deadline,
                      [&](Transaction& transaction) {
                        save_value(on, deployment, kSavedPrefix + change.table.display(), change.saved, deadline);
                        transaction.execute(altering_statement(change));
                      });
}

void restore_identities(Connection& on, const std::string& deployment, Deadline deadline) {
  for (const auto& [key, value] : saved_values(on, deployment, kSavedPrefix, deadline))
    with_lock_retries(on, "replica identity (" + key + ")", kIdentityLockTimeout, deadline,
                      [&, saved_key = key, saved = value](Transaction& transaction) {
                        restore_one(transaction, deployment, saved_key, saved);
                      });
}

std::vector<RestoredIdentity> identities_to_restore(Connection& on, const std::string& deployment, Deadline deadline) {
  std::vector<RestoredIdentity> all;
  for (const auto& [key, value] : saved_values(on, deployment, kSavedPrefix, deadline))
    all.push_back({key, restoring_of(on, value, deadline)});
  return all;
}

void copy_saved_identities(Connection& from, Connection& to, const std::string& deployment, Deadline deadline) {
  for (const auto& [key, value] : saved_values(from, deployment, kSavedPrefix, deadline))
    save_value(to, deployment, key, value, deadline);
}

}  // namespace verdigris
