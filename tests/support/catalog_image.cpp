#include "tests/support/catalog_image.hpp"

#include "tests/support/cluster.hpp"

namespace verdigris::test {

std::string catalog_image(Connection& on) {
  return value(on, R"(
    SELECT md5(concat_ws(';',
      (SELECT string_agg(c::text, ',' ORDER BY oid) FROM (SELECT oid, relname, relnamespace, relreplident, relacl
                                                          FROM pg_class WHERE oid >= 16384) c),
      (SELECT string_agg(nspname, ',' ORDER BY oid) FROM pg_namespace WHERE nspname !~ '^pg_'),
      (SELECT string_agg(p.proname || p.prosrc, ',' ORDER BY oid) FROM pg_proc p WHERE oid >= 16384),
      (SELECT string_agg(t.tgname || t.tgenabled::text, ',' ORDER BY oid) FROM pg_trigger t),
      (SELECT string_agg(pubname, ',' ORDER BY oid) FROM pg_publication),
      (SELECT string_agg(subname, ',' ORDER BY oid) FROM pg_subscription),
      (SELECT string_agg(slot_name, ',' ORDER BY slot_name) FROM pg_replication_slots),
      (SELECT string_agg(rolname || rolconnlimit, ',' ORDER BY oid) FROM pg_roles),
      (SELECT string_agg(d.datname || datconnlimit || coalesce(datacl::text, ''), ',' ORDER BY oid) FROM pg_database d),
      (SELECT string_agg(s::text, ',' ORDER BY setdatabase, setrole) FROM pg_db_role_setting s))))");
}

}  // namespace verdigris::test
