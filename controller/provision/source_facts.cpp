#include "controller/provision/source_facts.hpp"

namespace verdigris {
namespace {

std::optional<std::string> verifier_of(Connection& on, const std::string& role, Deadline deadline) {
  const Result answer = on.query(Sql("SELECT rolpassword FROM pg_authid WHERE rolname = $1"), {role}, deadline);
  const auto row = answer.at_most_one_row(1);
  return row ? row->text_or_null(0) : std::nullopt;
}

}  // namespace

// What our own session has pinned is asked of the files. The columns of providers came in 15, ICU's rules in 16, and
// the locale was renamed in 17.
SourceFacts facts_of_source(Connection& on, const std::string& superuser, const std::string& replication,
                            Deadline deadline) {
  const Result answer = on.query(Sql(R"(
    SELECT pg_encoding_to_char(encoding), datcollate, datctype, coalesce(to_jsonb(d)->>'datlocprovider', 'c'),
           coalesce(to_jsonb(d)->>'datlocale', to_jsonb(d)->>'daticulocale', ''),
           coalesce(to_jsonb(d)->>'daticurules', ''),
           coalesce(f->>'lc_monetary', 'C'), coalesce(f->>'lc_numeric', 'C'), coalesce(f->>'lc_time', 'C'),
           coalesce(f->>'timezone', ''),
           current_setting('data_checksums') = 'on', current_setting('max_connections'),
           current_setting('max_locks_per_transaction'), current_setting('max_prepared_transactions'),
           pg_get_userbyid(datdba), coalesce(f->>'default_text_search_config', 'pg_catalog.simple')
    FROM pg_database d,
         (SELECT jsonb_object_agg(lower(name), setting) AS f FROM pg_file_settings
          WHERE applied AND setting IS NOT NULL) AS files
    WHERE datname = current_database())"),
                                 deadline);
  const Row row = answer.one_row(16);
  SourceFacts facts{.owner = row.text(14),
                    .encoding = row.text(0),
                    .collate = row.text(1),
                    .ctype = row.text(2),
                    .provider = row.text(3).at(0),
                    .locale = row.text(4),
                    .icu_rules = row.text(5),
                    .monetary = row.text(6),
                    .numeric = row.text(7),
                    .time = row.text(8),
                    .text_search = row.text(15),
                    .timezone = row.text(9),
                    .has_checksums = row.boolean(10),
                    .max_connections = row.text(11),
                    .max_locks = row.text(12),
                    .max_prepared = row.text(13)};
  facts.superuser_verifier = verifier_of(on, superuser, deadline);
  facts.replication_verifier = verifier_of(on, replication, deadline);
  return facts;
}

}  // namespace verdigris
