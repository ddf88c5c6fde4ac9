#include "replication/identity.hpp"

namespace verdigris {

ServerIdentity server_identity(Connection& on, const std::string& deployment, Deadline deadline) {
  if (on.query(Sql("SELECT pg_is_in_recovery()"), deadline).one_row(1).boolean(0))
    throw Refused("target.standby", on.server() + ": the server is a standby", "Name the primary in the playbook.");
  const auto result = on.query(Sql(R"(
    SELECT (SELECT system_identifier FROM pg_control_system())::text,
           left(pg_walfile_name(pg_current_wal_lsn()), 8),
           (SELECT oid FROM pg_database WHERE datname = current_database())::text,
           pg_postmaster_start_time()::text, to_regclass('verdigris.identity') IS NOT NULL)"),
                               deadline);
  const auto row = result.one_row(5);
  ServerIdentity identity{row.text(0), row.text(1), row.text(2), {}, row.text(3)};
  if (!row.boolean(4)) return identity;
  const auto token = on.query(Sql("SELECT token FROM verdigris.identity WHERE deployment = $1"), {deployment}, deadline);
  if (const auto found = token.at_most_one_row(1)) identity.token = found->text(0);
  return identity;
}

}  // namespace verdigris
