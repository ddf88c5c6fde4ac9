#include "replication/definitions.hpp"

#include <algorithm>
#include <map>
#include <set>

namespace verdigris {
namespace {

struct Definition {
  std::string name;   // what people read
  std::string text;   // what must be equal as well
  auto operator<=>(const Definition&) const = default;
};

// Not those of extensions: their versions are compared elsewhere.
std::set<Definition> objects(Connection& on, Deadline deadline) {
  const Result answer = on.query(Sql(R"(
    -- first of all the schemas: the catalog's own three thousand functions are not to be named one by one
    WITH schemas AS MATERIALIZED (
      SELECT oid, nspname FROM pg_namespace WHERE nspname !~ '^(pg_|information_schema$|verdigris$)'),
    named AS (
      SELECT 'pg_proc'::regclass AS catalog, p.oid,
             -- not pg_get_function_arguments(): which names it quotes depends on the major
             format('function %s.%s(%s)', n.nspname, p.proname, (
               SELECT string_agg(CASE WHEN tn.nspname = 'pg_catalog' THEN '' ELSE tn.nspname || '.' END || t.typname, ', '
                                 ORDER BY a.position)
               FROM unnest(p.proargtypes::oid[]) WITH ORDINALITY AS a(type, position)
               JOIN pg_type t ON t.oid = a.type JOIN pg_namespace tn ON tn.oid = t.typnamespace)) AS name,
             -- one text in every encoding; what has none cannot be converted
             CASE getdatabaseencoding() WHEN 'SQL_ASCII' THEN md5(p.prosrc)
                                        ELSE md5(convert_to(p.prosrc, 'UTF8')) END AS text
      FROM pg_proc p JOIN schemas n ON n.oid = p.pronamespace
      UNION ALL
      SELECT 'pg_class'::regclass, c.oid, format('view %s.%s', n.nspname, c.relname), ''
      FROM pg_class c JOIN schemas n ON n.oid = c.relnamespace WHERE c.relkind IN ('v', 'm')
      UNION ALL
      SELECT 'pg_type'::regclass, t.oid, format('type %s.%s', n.nspname, t.typname), ''
      FROM pg_type t JOIN schemas n ON n.oid = t.typnamespace
      WHERE t.typtype IN ('d', 'e', 'r') OR t.typtype = 'c' AND t.typrelid IN (SELECT oid FROM pg_class WHERE relkind = 'c')
      UNION ALL
      SELECT 'pg_type'::regclass, t.oid,
             format('label %L of type %s.%s', e.enumlabel, n.nspname, t.typname), ''
      FROM pg_enum e JOIN pg_type t ON t.oid = e.enumtypid JOIN schemas n ON n.oid = t.typnamespace)
    SELECT name, text FROM named
    WHERE NOT EXISTS (SELECT FROM pg_depend d WHERE d.classid = named.catalog AND d.objid = named.oid
                      AND d.objsubid = 0 AND d.deptype = 'e'))"),
                                 deadline);
  std::set<Definition> out;
  for (const Row& row : answer.rows(2)) out.insert({row.text(0), row.text(1)});
  return out;
}

// Columns that have a default of their own, as "schema.table.column". Its text differs between majors.
std::set<std::string> defaults(Connection& on, Deadline deadline) {
  const Result answer = on.query(Sql(R"(
    SELECT format('%s.%s.%s', n.nspname, c.relname, a.attname)
    FROM pg_attrdef d JOIN pg_attribute a ON a.attrelid = d.adrelid AND a.attnum = d.adnum
    JOIN pg_class c ON c.oid = a.attrelid JOIN pg_namespace n ON n.oid = c.relnamespace
    WHERE a.attgenerated = '' AND c.relkind IN ('r', 'p') AND n.nspname !~ '^(pg_|information_schema$|verdigris$)')"),
                                 deadline);
  std::set<std::string> out;
  for (const Row& row : answer.rows(1)) out.insert(row.text(0));
  return out;
}

int integer_width(const std::string& type) {
  if (type == "smallint") return 1;
  if (type == "integer") return 2;
  return type == "bigint" ? 3 : 0;
}

// "character varying(20)" -> 20, "numeric(10,2)" -> 10; without a limit more than any.
int limit_of(const std::string& type) {
  const auto open = type.find('(');
  return open == std::string::npos ? 1 << 30 : std::atoi(type.c_str() + open + 1);
}

// Everything the source's type takes fits into the target's.
bool is_no_narrower(const std::string& source, const std::string& target) {
  if (source == target) return true;
  if (integer_width(source) > 0 && integer_width(target) > 0) return integer_width(source) <= integer_width(target);
  return limit_of(source) <= limit_of(target);
}

void compare_columns(const Table& ours, const Table& theirs, const std::string& where, const std::set<std::string>& here,
                     const std::set<std::string>& there, std::vector<std::string>& missing) {
  for (const Column& column : ours.columns) {
    const auto other = std::ranges::find_if(theirs.columns, [&](const Column& c) { return c.name == column.name; });
    if (other == theirs.columns.end()) continue;  // said elsewhere, and graver
    const std::string name = ours.name.display() + "." + column.name.raw();
    if (!is_no_narrower(column.type, other->type)) missing.push_back(name + " " + column.type + " (" + other->type + " on " + where + ")");
    if (column.not_null && !other->not_null) missing.push_back("NOT NULL of " + name);
    if (here.contains(name) && !there.contains(name)) missing.push_back("default of " + name);
  }
}

}  // namespace

std::vector<std::string> missing_definitions(Connection& source, Connection& target, const TableSelection& filter,
                                             Deadline deadline) {
  std::vector<std::string> missing;
  const auto wanted = objects(source, deadline);
  const auto found = objects(target, deadline);
  for (const auto& one : wanted)
    if (!found.contains(one)) missing.push_back(one.name);
  std::map<QualifiedName, Table> theirs;
  for (auto& table : user_tables(target, deadline)) theirs.emplace(table.name, std::move(table));
  const auto here = defaults(source, deadline);
  const auto there = defaults(target, deadline);
  for (const Table& table : user_tables(source, deadline)) {
    const auto other = theirs.find(table.name);
    if (filter.selects(table) && other != theirs.end())
      compare_columns(table, other->second, target.server(), here, there, missing);
  }
  return missing;
}

}  // namespace verdigris
