#include "tests/support/world_image.hpp"

#include <algorithm>
#include <vector>

#include "tests/support/cluster.hpp"
#include "tests/support/pgbouncer_driver.hpp"

namespace verdigris::test {
namespace {

// Rows as JSON: what a later major adds to a catalog is compared too. oid >= 16384: not made by initdb.
constexpr const char* kCatalogs = R"(
  SELECT 'relation ' || c.oid || ' ' || concat_ws(' ', c.oid::regclass, c.relkind, c.relreplident, c.relacl,
                                                  c.relowner::regrole, c.reloptions)
  FROM pg_class c WHERE c.oid >= 16384 AND c.relkind <> 't'
    AND NOT EXISTS (SELECT FROM pg_index x JOIN pg_class t ON t.oid = x.indrelid
                    WHERE x.indexrelid = c.oid AND t.relkind = 't')
  UNION ALL SELECT concat_ws(' ', 'column', a.attrelid::regclass, a.attname, format_type(a.atttypid, a.atttypmod),
                             a.attnotnull, pg_get_expr(d.adbin, d.adrelid))
  FROM pg_attribute a JOIN pg_class c ON c.oid = a.attrelid
  LEFT JOIN pg_attrdef d ON d.adrelid = a.attrelid AND d.adnum = a.attnum
  WHERE a.attrelid >= 16384 AND a.attnum > 0 AND NOT a.attisdropped AND c.relkind IN ('r', 'p', 'v', 'm')
  UNION ALL SELECT concat_ws(' ', 'index', indexrelid, indisreplident, indisvalid, pg_get_indexdef(indexrelid))
  FROM pg_index JOIN pg_class t ON t.oid = indrelid WHERE indrelid >= 16384 AND t.relkind <> 't'
  UNION ALL SELECT concat_ws(' ', 'constraint', conrelid::regclass, conname, convalidated, pg_get_constraintdef(oid))
  FROM pg_constraint WHERE oid >= 16384
  UNION ALL SELECT concat_ws(' ', 'trigger', oid, tgrelid::regclass, tgname, tgenabled, tgfoid::regprocedure)
  FROM pg_trigger WHERE NOT tgisinternal
  UNION ALL SELECT concat_ws(' ', 'function', oid::regprocedure, md5(prosrc), proacl) FROM pg_proc WHERE oid >= 16384
  UNION ALL SELECT concat_ws(' ', 'schema', nspname, nspacl) FROM pg_namespace WHERE nspname !~ '^pg_(toast|temp)'
  UNION ALL SELECT 'publication ' || to_jsonb(p)::text FROM pg_publication p
  UNION ALL SELECT concat_ws(' ', 'published', prpubid, prrelid::regclass, to_jsonb(r) - 'oid')
  FROM pg_publication_rel r
  UNION ALL SELECT concat_ws(' ', 'slot', slot_name, plugin, temporary, wal_status)
  FROM pg_replication_slots WHERE database = current_database() AND slot_name !~ '^pg_'
  UNION ALL SELECT 'subscription ' || (to_jsonb(s) - 'subskiplsn')::text FROM pg_subscription s
  UNION ALL SELECT concat_ws(' ', 'subscribed', srsubid, srrelid::regclass, srsubstate) FROM pg_subscription_rel
  UNION ALL SELECT concat_ws(' ', 'database', coalesce(datacl, acldefault('d', datdba)), datconnlimit) FROM pg_database WHERE datname = current_database()
  UNION ALL SELECT concat_ws(' ', 'setting', setdatabase, setrole::regrole, setconfig) FROM pg_db_role_setting
  UNION ALL SELECT concat_ws(' ', 'role', rolname, rolconnlimit, rolcanlogin, rolsuper) FROM pg_roles
  UNION ALL SELECT concat_ws(' ', 'member', roleid::regrole, member::regrole) FROM pg_auth_members
  UNION ALL SELECT concat_ws(' ', 'sequence', schemaname, sequencename, last_value) FROM pg_sequences
  UNION ALL SELECT concat_ws(' ', 'saved', key, value) FROM verdigris.saved)";

// "rows <table> <count> <digest>" of every table, in one statement.
std::string content_query(Connection& on) {
  return value(on, R"(
    SELECT string_agg(format('SELECT concat_ws('' '', ''rows'', %L, count(*), '
                             'md5(coalesce(string_agg(t::text, ''|'' ORDER BY t::text COLLATE "C"), ''''))) '
                             'FROM ONLY %s AS t', c.oid::regclass, c.oid::regclass), ' UNION ALL ')
    FROM pg_class c
    WHERE c.oid >= 16384 AND c.relkind IN ('r', 'm') AND (c.relkind = 'r' OR c.relispopulated)
      AND c.relnamespace <> 'verdigris'::regnamespace)");
}

void add_rows(Image& image, const std::string& color, const Result& result) {
  for (const auto& row : result.rows(1)) image.insert(color + " " + row.text(0));
}

}  // namespace

Image server_image(Connection& on, const std::string& color) {
  Image image;
  add_rows(image, color, run(on, kCatalogs));
  if (const auto query = content_query(on); !query.empty()) add_rows(image, color, run(on, query));
  return image;
}

Image pooler_image(PgBouncerConsole& console, const std::filesystem::path& ini) {
  const auto database = console.database("shop", soon());
  const auto staged = ini.string() + ".verdigris-staged";
  return {"pooler target " + database.target.host + ":" + database.target.port + "/" + database.target.dbname,
          std::string("pooler is ") + (database.is_paused ? "paused" : "running"),
          "pooler server_login_retry " + console.config(soon())["server_login_retry"],
          "pooler file " + read(ini),
          "pooler staged " + (std::filesystem::exists(staged) ? read(staged) : std::string("nothing"))};
}

std::string difference(const Image& before, const Image& after) {
  std::vector<std::string> gone, came;
  std::ranges::set_difference(before, after, std::back_inserter(gone));
  std::ranges::set_difference(after, before, std::back_inserter(came));
  std::string text;
  for (const auto& line : gone) text += "- " + line + "\n";
  for (const auto& line : came) text += "+ " + line + "\n";
  return text;
}

}  // namespace verdigris::test
