#include "healthcheck/questions.hpp"

namespace verdigris::questions {

Findings controller_role(const CheckContext& context) {
  Findings findings;
  for (Server* server : context.both()) {
    const Result answer =
        server->control().query(Sql("SELECT rolsuper FROM pg_roles WHERE rolname = current_user"), context.deadline);
    if (answer.one_row(1).boolean(0)) continue;
    findings.push_back(fail("roles.controller",
                            server->color() + ": role \"" + server->user() +
                                "\" is not a superuser; subscriptions, origins, event triggers and the fence need it",
                            "ALTER ROLE ... SUPERUSER for the time of the deployment."));
  }
  if (findings.empty()) findings.push_back(pass("roles.controller", "superuser on both sides"));
  return findings;
}

}  // namespace verdigris::questions
