#include "healthcheck/questions.hpp"

namespace verdigris::questions {
namespace {

// The value that a session of the subscription's owner gets: role in database, then role, then database.
std::optional<std::string> lock_timeout_of(Server& server, Deadline deadline) {
  const Result answer = server.control().query(Sql(R"(
    SELECT split_part(setting, '=', 2)
    FROM pg_db_role_setting s, unnest(s.setconfig) AS setting
    WHERE setting ~ '^lock_timeout='
      AND s.setdatabase IN (0, (SELECT oid FROM pg_database WHERE datname = current_database()))
      AND s.setrole IN (0, (SELECT oid FROM pg_roles WHERE rolname = current_user))
    ORDER BY s.setrole = 0, s.setdatabase = 0 LIMIT 1)"),
                                               deadline);
  const auto row = answer.at_most_one_row(1);
  if (!row) return std::nullopt;
  return row->text(0);
}

}  // namespace

Findings apply_settings(const CheckContext& context) {
  Findings findings;
  for (Server* server : context.both()) {
    const auto value = lock_timeout_of(*server, context.deadline);
    if (!value || *value == "0" || *value == "0ms" || *value == "0s") continue;
    findings.push_back(fail("apply.role-settings",
                            server->color() + ": lock_timeout is " + *value + " for role \"" + server->user() +
                                "\" in this database: it would end the apply worker again and again",
                            "ALTER ROLE ... IN DATABASE ... SET lock_timeout = 0 for that role."));
  }
  if (findings.empty()) findings.push_back(pass("apply.role-settings", "nothing that ends an apply worker"));
  return findings;
}

}  // namespace verdigris::questions
