#include "replication/schema.hpp"

#include <algorithm>
#include <sstream>

#include "replication/post_data.hpp"

namespace verdigris {
namespace {

// "4021; 2620 16512 TRIGGER public orders verdigris_fence app_owner": names may hold blanks, the kind comes third.
bool is_ours(const std::string& line) {
  std::istringstream words(line);
  std::string id, catalog, oid, kind;
  words >> id >> catalog >> oid >> kind;
  return kind == "TRIGGER" && line.find(" verdigris_fence ") != std::string::npos;
}

// In which pg_dump writes; a server without one sends bytes as they are.
std::string source_encoding(const Server& source, Deadline deadline) {
  Connection session = source.open("schema", deadline, true);
  return session.query(Sql("SELECT pg_catalog.current_setting('server_encoding')"), deadline).one_row(1).text(0);
}

std::string section_word(SchemaSection section) {
  return section == SchemaSection::pre_data ? "pre-data" : "post-data";
}

const Table* find_table(const std::vector<Table>& tables, const QualifiedName& name) {
  const auto at = std::lower_bound(tables.begin(), tables.end(), name,
                                   [](const Table& table, const QualifiedName& wanted) { return table.name < wanted; });
  return at != tables.end() && at->name == name ? &*at : nullptr;
}

void compare_columns(const Table& wanted, const Table& found, const std::string& where,
                     std::vector<std::string>& missing) {
  for (const Column& column : wanted.columns) {
    const auto same = std::find_if(found.columns.begin(), found.columns.end(),
                                   [&](const Column& other) { return other.name == column.name; });
    const std::string phrase = wanted.name.display() + "." + column.name.raw() + " " + column.type;
    if (same == found.columns.end())
      missing.push_back(phrase);
    else if (same->type != column.type)
      missing.push_back(phrase + " (" + same->type + " on " + where + ")");
    else if (same->is_generated() != column.is_generated())
      missing.push_back(phrase + (column.is_generated() ? " generated" : " (generated on " + where + ")"));
  }
}

// Not-null constraints (18) are part of the columns; partitions get theirs from their roots.
std::vector<std::string> post_data_names(Connection& on, const TableSelection& filter, Deadline deadline) {
  const Result answer = on.query(Sql(R"(
    SELECT n.nspname, c.relname, format('%s.%s.%s', n.nspname, c.relname, k.conname)
    FROM pg_constraint k JOIN pg_class c ON c.oid = k.conrelid JOIN pg_namespace n ON n.oid = c.relnamespace
    WHERE k.contype IN ('p', 'u', 'x', 'f', 'c') AND k.conparentid = 0
      AND n.nspname !~ '^(pg_|information_schema$|verdigris$)'
    UNION
    SELECT n.nspname, c.relname, format('%s.%s', n.nspname, ic.relname)
    FROM pg_index i JOIN pg_class ic ON ic.oid = i.indexrelid JOIN pg_class c ON c.oid = i.indrelid
    JOIN pg_namespace n ON n.oid = ic.relnamespace
    WHERE i.indisvalid AND c.relkind IN ('r', 'p', 'm') AND n.nspname !~ '^(pg_|information_schema$|verdigris$)'
    UNION
    SELECT n.nspname, c.relname, format('%s.%s trigger %s', n.nspname, c.relname, t.tgname)
    FROM pg_trigger t JOIN pg_class c ON c.oid = t.tgrelid JOIN pg_namespace n ON n.oid = c.relnamespace
    WHERE NOT t.tgisinternal AND t.tgname <> 'verdigris_fence' AND n.nspname !~ '^(pg_|verdigris$)'
    UNION
    SELECT n.nspname, c.relname, format('%s.%s statistics', sn.nspname, s.stxname)
    FROM pg_statistic_ext s JOIN pg_class c ON c.oid = s.stxrelid JOIN pg_namespace n ON n.oid = c.relnamespace
    JOIN pg_namespace sn ON sn.oid = s.stxnamespace WHERE sn.nspname !~ '^(pg_|verdigris$)'
    UNION
    SELECT n.nspname, c.relname, format('%s.%s policy %s', n.nspname, c.relname, p.polname)
    FROM pg_policy p JOIN pg_class c ON c.oid = p.polrelid JOIN pg_namespace n ON n.oid = c.relnamespace
    UNION
    SELECT schemaname, tablename, format('%s.%s rule %s', schemaname, tablename, rulename) FROM pg_rules
    WHERE schemaname !~ '^(pg_|information_schema$|verdigris$)')"),
                                 deadline);
  std::vector<std::string> names;
  for (const Row& row : answer.rows(3))
    if (filter.selects(QualifiedName(row.text(0), row.text(1)))) names.push_back(row.text(2));
  std::sort(names.begin(), names.end());
  return names;
}

}  // namespace

void carry_schema(const Server& source, const Server& target, SchemaSection section, const SchemaTools& tools,
                  Deadline deadline) {
  const auto dump = new_dump(source, target, tools, deadline);
  const PrivateFile list(filtered_toc(
      run_schema_tool(tools, "schema.dump", source.color(), listing_command(dump->tool, dump->path()), deadline)));
  run_schema_tool(tools, "schema.restore", target.color(),
                  restoring_command(dump->tool, target, section, dump->path(), list.path()), deadline);
}

void carry_post_data(const Server& source, Server& target, const SchemaTools& tools, const PostDataWork& work,
                     const ProgressCallback& progress, Deadline deadline) {
  constexpr SchemaSection kSection = SchemaSection::post_data;
  const auto dump = young_dump(source, target, tools, deadline);
  const auto ask = [&](std::vector<std::string> argv) {
    return run_schema_tool(tools, "schema.dump", source.color(), std::move(argv), deadline);
  };
  auto toc = split_toc(filtered_toc(ask(listing_command(dump->tool, kSection, dump->path()))));
  const auto printed = [&](const std::string& entries, std::size_t count) {
    if (count == 0) return std::vector<std::string>{};
    const PrivateFile list(entries);
    return split_script(ask(printing_command(dump->tool, kSection, dump->path(), list.path())), count);
  };
  const auto encoding = source_encoding(source, deadline);
  std::vector<IndexBuild> builds;
  for (const auto& statement : printed(toc.builds, toc.build_count)) builds.push_back(read_build(statement));
  if (!std::ranges::all_of(builds, [](const IndexBuild& build) { return build.table.has_value(); })) {
    // Of a form that we do not know: one after the other, as pg_restore would.
    toc = {{}, toc.builds + toc.rest, 0, toc.build_count + toc.rest_count};
    builds.clear();
  }
  // Printed before anything is built: a program that fails has left nothing behind, as its message says.
  const auto rest = work.is_rest_there ? std::vector<std::string>{} : printed(toc.rest, toc.rest_count);
  build_indexes(target, std::move(builds), encoding, work.workers, progress, deadline);
  if (!work.is_rest_there) restore_rest(target, rest, encoding, work.note_rest, progress, deadline);
}

std::vector<std::string> listing_command(const SchemaDumpTool& tool, const std::string& dump) {
  return {(tool.directory / "pg_restore").string(), "--list", dump};
}

std::vector<std::string> listing_command(const SchemaDumpTool& tool, SchemaSection section, const std::string& dump) {
  return {(tool.directory / "pg_restore").string(), "--list", "--section=" + section_word(section), dump};
}

std::vector<std::string> restoring_command(const SchemaDumpTool& tool, const Server& target, SchemaSection section,
                                           const std::string& dump, const std::string& list) {
  return {(tool.directory / "pg_restore").string(), "--section=" + section_word(section), "--exit-on-error",
          "--single-transaction", "--no-tablespaces", "--use-list=" + list, "--dbname=" + conninfo_for_tools(target), dump};
}

std::vector<std::string> printing_command(const SchemaDumpTool& tool, SchemaSection section, const std::string& dump,
                                          const std::string& list) {
  return {(tool.directory / "pg_restore").string(), "--section=" + section_word(section), "--no-tablespaces",
          "--use-list=" + list, "--file=-", dump};
}

std::string filtered_toc(const std::string& toc) {
  std::istringstream lines(toc);
  std::string kept;
  for (std::string line; std::getline(lines, line);)
    if (!is_ours(line)) kept += line + '\n';
  return kept;
}

std::vector<std::string> missing_tables(Connection& source, Connection& target, const TableSelection& filter,
                                        Deadline deadline) {
  std::vector<std::string> missing;
  const auto there = user_tables(target, deadline);
  for (const Table& wanted : user_tables(source, deadline)) {
    if (!filter.selects(wanted)) continue;
    const Table* found = find_table(there, wanted.name);
    if (found == nullptr || found->is_partitioned != wanted.is_partitioned)
      missing.push_back(wanted.name.display());
    else
      compare_columns(wanted, *found, target.server(), missing);
  }
  return missing;
}

std::vector<std::string> missing_post_data(Connection& source, Connection& target, const TableSelection& filter,
                                           Deadline deadline) {
  const auto wanted = post_data_names(source, filter, deadline);
  const auto there = post_data_names(target, filter, deadline);
  std::vector<std::string> missing;
  std::set_difference(wanted.begin(), wanted.end(), there.begin(), there.end(), std::back_inserter(missing));
  return missing;
}

}  // namespace verdigris
