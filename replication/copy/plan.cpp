#include "replication/copy/plan.hpp"

#include <algorithm>
#include <map>
#include <set>
#include <thread>

namespace verdigris {
namespace {

constexpr std::int64_t kSmallestSplit = 64 << 20;
constexpr std::int64_t kSmallestPart = 64;  // blocks
constexpr double kTail = 1.15;              // times a stream's share

Literal tid(std::int64_t block) { return Literal("(" + std::to_string(block) + ",0)"); }

// By itself: a table with nothing but generated columns has none to list.
Sql selection(const CopyItem& item) {
  const Sql columns = item.columns.empty() ? Sql("") : Sql(" {}", Sql::joined(item.columns, ", "));
  const Sql from("SELECT{} FROM ONLY {} WHERE ctid >= {}", columns, item.table, tid(item.part->from));
  return item.part->to ? Sql("{} AND ctid < {}", from, tid(*item.part->to)) : from;
}

Sql table_and_columns(const CopyItem& item) {
  if (item.columns.empty()) return Sql("{}", item.table);
  return Sql("{} ({})", item.table, Sql::joined(item.columns, ", "));
}

// Which share of its table a part is, for the order and for progress.
std::int64_t share(std::int64_t bytes, std::int64_t part, std::int64_t whole) {
  return static_cast<std::int64_t>(static_cast<double>(bytes) * static_cast<double>(part) / static_cast<double>(whole));
}

void sort_by_size(std::vector<CopyItem>& items) {
  std::stable_sort(items.begin(), items.end(), [](const CopyItem& a, const CopyItem& b) { return a.bytes > b.bytes; });
}

// Enums travel as their labels, arrays with the OID of their elements: only those of built-in types are alike. Left out:
// reg* and other types that name objects by OID, composites, xml (its encoding is declared inside), tsquery (an empty one
// cannot be read back), multiranges (14), and whatever an extension defines.
std::set<QualifiedName> fit_for_text_only(Connection& on, Deadline deadline) {
  const Result answer = on.query(Sql(R"(
    WITH alike(types) AS (SELECT '{bool,bytea,"\"char\"",name,int2,int4,int8,text,json,jsonb,point,lseg,path,box,polygon,line,
        circle,float4,float8,money,macaddr,macaddr8,inet,cidr,bpchar,varchar,date,time,timetz,timestamp,timestamptz,
        interval,bit,varbit,numeric,uuid,pg_lsn,tsvector,int4range,int8range,numrange,tsrange,tstzrange,
        daterange}'::regtype[])
    SELECT DISTINCT n.nspname, c.relname
    FROM alike, pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
    JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped AND a.attgenerated = ''
    JOIN pg_type declared ON declared.oid = a.atttypid
    JOIN pg_type t ON t.oid = CASE WHEN declared.typtype = 'd' THEN declared.typbasetype ELSE declared.oid END
    WHERE c.relkind = 'r' AND n.nspname !~ '^(pg_|information_schema$)'
      AND NOT (t.oid = ANY (types::oid[]) OR t.typtype = 'e'
               OR (t.typcategory = 'A' AND t.typlen = -1 AND t.typelem = ANY (types::oid[]))))"),
                                 deadline);
  std::set<QualifiedName> names;
  for (const Row& row : answer.rows(2)) names.emplace(row.text(0), row.text(1));
  return names;
}

// The types of each table's columns, by name; of a domain the type below it, too.
std::map<QualifiedName, std::string> column_types(Connection& on, Deadline deadline) {
  const Result answer = on.query(Sql(R"(
    SELECT n.nspname, c.relname,
           string_agg(format('%I %s %s', a.attname, format_type(a.atttypid, a.atttypmod),
                             CASE WHEN t.typtype = 'd' THEN format_type(t.typbasetype, t.typtypmod) END),
                      ', ' ORDER BY a.attname)
    FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
    JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped AND a.attgenerated = ''
    JOIN pg_type t ON t.oid = a.atttypid
    WHERE c.relkind = 'r' AND n.nspname !~ '^(pg_|information_schema$)' GROUP BY 1, 2)"),
                                 deadline);
  std::map<QualifiedName, std::string> types;
  for (const Row& row : answer.rows(3)) types.emplace(QualifiedName(row.text(0), row.text(1)), row.text(2));
  return types;
}

}  // namespace

// Unless a tunnel ends here.
bool is_on_this_machine(const Server& server) {
  const auto& host = server.host();
  return host.empty() || host.starts_with('/') || host.starts_with('@') || host == "localhost" || host == "::1" ||
         host.starts_with("127.");
}

std::vector<CopyItem> copy_plan(const std::vector<Table>& source_tables, const TableSelection& filter) {
  std::vector<CopyItem> items;
  for (const Table& table : source_tables) {
    if (table.is_partitioned || !filter.selects(table)) continue;
    CopyItem item{.table = table.name, .columns = {}, .bytes = table.bytes};
    for (const Column& column : table.columns)
      if (!column.is_generated()) item.columns.push_back(column.name);
    items.push_back(std::move(item));
  }
  sort_by_size(items);
  return items;
}

void mark_referenced(std::vector<CopyItem>& items, Connection& target, Deadline deadline) {
  const Result answer = target.query(Sql(R"(
    SELECT DISTINCT n.nspname, c.relname
    FROM pg_constraint k JOIN pg_class c ON c.oid = k.confrelid JOIN pg_namespace n ON n.oid = c.relnamespace
    WHERE k.contype = 'f')"),
                                     deadline);
  std::set<QualifiedName> referenced;
  for (const Row& row : answer.rows(2)) referenced.emplace(row.text(0), row.text(1));
  for (CopyItem& item : items) item.may_truncate = !referenced.contains(item.table);
}

Sql emptying(const CopyItem& item) { return Sql("TRUNCATE ONLY {}", item.table); }

std::vector<CopyItem> with_split_tail(std::vector<CopyItem> items, const std::vector<std::int64_t>& blocks, int streams) {
  std::int64_t total = 0;
  for (const auto& item : items) total += item.bytes;
  std::vector<CopyItem> result;
  for (std::size_t i = 0; i < items.size(); ++i) {
    CopyItem& item = items[i];
    const double fair = static_cast<double>(total) / streams;
    const bool is_tail = streams > 1 && item.bytes >= kSmallestSplit && static_cast<double>(item.bytes) > kTail * fair;
    // Twice as many parts as its share asks for, so that streams end within half a part of each other.
    const auto wanted = is_tail ? static_cast<std::int64_t>(2.0 * static_cast<double>(item.bytes) / fair + 0.5) : 1;
    const auto parts = std::min(wanted, blocks[i] / kSmallestPart);
    if (parts < 2) {
      result.push_back(std::move(item));
      continue;
    }
    for (std::int64_t n = 0; n < parts; ++n) {
      CopyItem part = item;
      const auto from = blocks[i] * n / parts, to = blocks[i] * (n + 1) / parts;
      part.bytes = share(item.bytes, to - from, blocks[i]);
      part.part = BlockRange{from, n + 1 < parts ? std::optional(to) : std::nullopt};
      result.push_back(std::move(part));
    }
  }
  sort_by_size(result);
  return result;
}

SplitTables splits_of(const std::vector<CopyItem>& items) {
  SplitTables splits;
  for (const auto& item : items)
    if (item.part) splits[item.table].push_back(item.part->from);
  for (auto& [table, blocks] : splits) std::ranges::sort(blocks);
  return splits;
}

std::vector<CopyItem> with_splits(std::vector<CopyItem> items, const SplitTables& splits) {
  std::vector<CopyItem> result;
  for (auto& item : items) {
    const auto found = splits.find(item.table);
    if (found == splits.end()) {
      result.push_back(std::move(item));
      continue;
    }
    const auto& firsts = found->second;
    for (std::size_t n = 0; n < firsts.size(); ++n) {
      CopyItem part = item;
      part.bytes = item.bytes / static_cast<std::int64_t>(firsts.size());
      part.part = BlockRange{firsts[n], n + 1 < firsts.size() ? std::optional(firsts[n + 1]) : std::nullopt};
      result.push_back(std::move(part));
    }
  }
  sort_by_size(result);
  return result;
}

void choose_formats(std::vector<CopyItem>& items, Connection& source, Connection& target, Deadline deadline) {
  auto others = fit_for_text_only(source, deadline);
  others.merge(fit_for_text_only(target, deadline));
  const auto here = column_types(source, deadline), there = column_types(target, deadline);
  for (CopyItem& item : items) {
    const auto wanted = here.find(item.table), found = there.find(item.table);
    const bool is_same = found == there.end() || (wanted != here.end() && wanted->second == found->second);
    item.is_binary = is_same && !others.contains(item.table);
  }
}

int streams_for_parts(int workers, bool is_one_machine, int cores) {
  return is_one_machine ? std::clamp(cores / 2, 1, workers) : workers;
}

int streams_for_parts(int workers, const Server& source, const Server& target, int cores) {
  return streams_for_parts(workers, is_on_this_machine(source) && is_on_this_machine(target),
                           cores > 0 ? cores : static_cast<int>(std::thread::hardware_concurrency()));
}

void split_tail(std::vector<CopyItem>& items, int streams, Connection& source, Deadline deadline) {
  const bool has_large = std::ranges::any_of(items, [](const auto& item) { return item.bytes >= kSmallestSplit; });
  if (source.major() < 14 || streams < 2 || !has_large) return;
  const Result answer = source.query(Sql(R"(
    SELECT n.nspname, c.relname, pg_relation_size(c.oid) / current_setting('block_size')::int8
    FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
    WHERE c.relkind = 'r' AND pg_relation_size(c.oid) > 0)"),
                                     deadline);
  std::map<QualifiedName, std::int64_t> found;
  for (const Row& row : answer.rows(3)) found[QualifiedName(row.text(0), row.text(1))] = row.integer(2);
  std::vector<std::int64_t> blocks;
  for (const auto& item : items) blocks.push_back(found.contains(item.table) ? found[item.table] : 0);
  items = with_split_tail(std::move(items), blocks, streams);
}

Sql copy_to(const CopyItem& item) {
  const Sql format(item.is_binary ? Sql("FORMAT binary") : Sql("FORMAT text"));
  if (item.part) return Sql("COPY ({}) TO STDOUT ({})", selection(item), format);
  return Sql("COPY {} TO STDOUT ({})", table_and_columns(item), format);
}

Sql copy_from(const CopyItem& item) {
  const Sql format(item.is_binary ? Sql("FORMAT binary") : Sql("FORMAT text"));
  // FREEZE needs a table truncated in the same transaction; it spares the target a rewrite of every page later.
  if (item.is_frozen()) return Sql("COPY {} FROM STDIN ({}, FREEZE)", table_and_columns(item), format);
  return Sql("COPY {} FROM STDIN ({})", table_and_columns(item), format);
}

}  // namespace verdigris
