#include "healthcheck/questions.hpp"

namespace verdigris::questions {
namespace {

// Columns, and settings that roles and the database bring along.
std::vector<std::string> users_of_lz4(Connection& source, Deadline deadline) {
  const Result answer = source.query(Sql(R"(
    SELECT n.nspname || '.' || c.relname || '.' || a.attname
    FROM pg_attribute a JOIN pg_class c ON c.oid = a.attrelid JOIN pg_namespace n ON n.oid = c.relnamespace
    WHERE a.attcompression = 'l' AND NOT a.attisdropped AND c.relkind IN ('r', 'p', 'm')
      AND n.nspname !~ '^(pg_|information_schema$|verdigris$)'
    UNION
    SELECT setting FROM pg_db_role_setting s CROSS JOIN unnest(s.setconfig) AS setting
    WHERE setting = 'default_toast_compression=lz4'
      AND s.setdatabase IN (0, (SELECT oid FROM pg_database WHERE datname = current_database()))
    ORDER BY 1)"),
                                     deadline);
  std::vector<std::string> names;
  for (const Row& row : answer.rows(1)) names.push_back(row.text(0));
  return names;
}

bool has_lz4(Connection& on, Deadline deadline) {
  return on.query(Sql(R"(
    SELECT EXISTS (SELECT FROM pg_settings WHERE name = 'default_toast_compression' AND 'lz4' = ANY (enumvals)))"),
                  deadline)
      .one_row(1)
      .boolean(0);
}

}  // namespace

// A build without LZ4 refuses the very definition of such a column.
Findings compression(const CheckContext& context) {
  const std::string id = "schema.compression";
  Connection& source = context.source.control();
  if (source.major() < 14 || !context.settings.dumps_schema) return {pass(id, "no column of another compression")};
  const auto names = users_of_lz4(source, context.deadline);
  if (names.empty()) return {pass(id, "no column is compressed with lz4")};
  const auto& there = context.target.color();
  if (has_lz4(context.target.control(), context.deadline)) return {pass(id, there + " knows lz4, too")};
  return {fail(id, there + " was built without lz4, which is asked for on " + context.source.color() + " by " + some_of(names),
               "Install a build with it, or ALTER TABLE ... ALTER COLUMN ... SET COMPRESSION pglz, which rewrites nothing.")};
}

}  // namespace verdigris::questions
