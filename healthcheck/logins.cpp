#include "healthcheck/questions.hpp"
#include "replication/logins.hpp"

namespace verdigris::questions {

// The switch would be done, and every client refused.
Findings logins(const CheckContext& context) {
  const auto& target = context.target.color();
  if (!context.is_following || context.is_preparing)
    return {note("roles.login", "prepare carries the roles to " + target)};
  const auto names = logins_shut_out(context.source.control(), context.target.control(), context.settings.deployment,
                                     context.settings.our_roles, context.deadline);
  if (names.empty()) return {pass("roles.login", "whoever logs in to " + context.source.color() + " can log in to " + target)};
  const std::string hint = context.source.color() == "blue"
                               ? "Run verdigris prepare, which carries the roles over again"
                               : "Give " + target + " the same roles, passwords (the text of rolpassword in pg_authid) and grants";
  return {fail("roles.login", target + ": roles of " + context.source.color() + " could not log in: " + some_of(names),
               hint + ", or waive roles.login by name.")};
}

}  // namespace verdigris::questions
