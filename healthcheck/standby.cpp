#include "healthcheck/questions.hpp"

namespace verdigris::questions {
namespace {

bool is_in_recovery(Server& server, Deadline deadline) {
  return server.control().query(Sql("SELECT pg_is_in_recovery()"), deadline).one_row(1).boolean(0);
}

// Our own sessions set it themselves; what everybody else gets stands in the catalog.
bool is_read_only_by_default(Server& server, Deadline deadline) {
  const Result answer = server.control().query(Sql(R"(
    SELECT EXISTS (
      SELECT FROM pg_db_role_setting, unnest(setconfig) AS setting
      WHERE setdatabase = (SELECT oid FROM pg_database WHERE datname = current_database()) AND setrole = 0
        AND setting ~ '^default_transaction_read_only=(on|true|yes|1)$'))"),
                                               deadline);
  return answer.one_row(1).boolean(0);
}

}  // namespace

Findings standby(const CheckContext& context) {
  Findings findings;
  for (Server* server : context.both())
    if (is_in_recovery(*server, context.deadline))
      findings.push_back(fail("target.standby", server->color() + " (" + server->endpoint() + ") is a standby",
                              "Name the primary in the playbook."));
  if (!findings.empty()) return findings;  // a standby cannot be asked much else
  findings.push_back(pass("target.standby", "both are primaries"));
  if (is_read_only_by_default(context.target, context.deadline))
    findings.push_back(fail("target.read-only", "green: the database is read only by default for all its sessions",
                            "ALTER DATABASE ... RESET default_transaction_read_only; the fence keeps writers out."));
  return findings;
}

}  // namespace verdigris::questions
