#include "replication/identity.hpp"

namespace verdigris {

ServerIdentity server_identity(Connection& on, const std::string& deployment, Deadline deadline, Lsn* insert_position) {
  const auto result = on.query_prepared(Sql(R"(
    SELECT (SELECT system_identifier FROM pg_control_system())::text,
           CASE WHEN NOT pg_is_in_recovery() THEN left(pg_walfile_name(pg_current_wal_lsn()), 8) END,
           (SELECT oid FROM pg_database WHERE datname = current_database())::text,
           pg_postmaster_start_time()::text, to_regclass('verdigris.identity') IS NOT NULL,
           CASE WHEN NOT pg_is_in_recovery() THEN pg_current_wal_insert_lsn() END)"),
                                        {}, deadline);
  const auto row = result.one_row(6);
  if (!row.text_or_null(1))
    throw Refused("target.standby", on.server() + ": the server is a standby", "Name the primary in the playbook.");
  ServerIdentity identity{row.text(0), row.text(1), row.text(2), {}, row.text(3)};
  if (insert_position != nullptr) *insert_position = row.lsn(5);
  if (!row.boolean(4)) return identity;
  const auto token = on.query_prepared(Sql("SELECT token FROM verdigris.identity WHERE deployment = $1"), {deployment}, deadline);
  if (const auto found = token.at_most_one_row(1)) identity.token = found->text(0);
  return identity;
}

}  // namespace verdigris
