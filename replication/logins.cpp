#include "replication/logins.hpp"

#include <algorithm>
#include <map>

#include "replication/control_schema.hpp"

namespace verdigris {
namespace {

struct Login {
  bool is_superuser = false, may_log_in = false, may_connect = false;
  std::string valid_until, verifier;  // a digest of the verifier: the text itself stays on its server
};

using Logins = std::map<std::string, Login>;

// Grants that the connection fence has taken away and will give back.
constexpr auto kSavedGrants = BasicSqlText<>(R"(
  SELECT (g ->> 'grantee')::oid AS grantee FROM verdigris.saved s CROSS JOIN jsonb_array_elements(s.value -> 'grants') AS g
  WHERE s.deployment = $1 AND s.key = 'access')");

constexpr auto kNoGrants = BasicSqlText<>("SELECT NULL::oid AS grantee WHERE $1::text IS NULL");

Logins read(Connection& on, const std::string& deployment, Deadline deadline) {
  const bool is_closed =
      has_control_schema(on, deadline) && saved_value(on, deployment, "access", deadline).has_value();
  const Result answer = on.query(Sql(R"(
    WITH grants AS ({}), db AS (SELECT oid, datdba FROM pg_database WHERE datname = current_database())
    SELECT r.rolname, r.rolsuper, r.rolcanlogin,
           r.rolsuper OR CASE WHEN $2::bool
             THEN pg_has_role(r.oid, db.datdba, 'USAGE') OR EXISTS (
               SELECT FROM grants g WHERE g.grantee = 0 OR g.grantee IN (
                 SELECT p.oid FROM pg_roles p WHERE pg_has_role(r.oid, p.oid, 'USAGE')))
             ELSE has_database_privilege(r.oid, db.oid, 'CONNECT') END,
           coalesce(r.rolvaliduntil::text, 'infinity'), md5(coalesce(r.rolpassword, ''))
    FROM pg_authid r CROSS JOIN db WHERE r.rolname !~ '^pg_')",
                                     is_closed ? Sql(kSavedGrants) : Sql(kNoGrants)),
                                 {deployment, is_closed ? "true" : "false"}, deadline);
  Logins logins;
  for (const Row& row : answer.rows(6))
    logins[row.text(0)] = {row.boolean(1), row.boolean(2), row.boolean(3), row.text(4), row.text(5)};
  return logins;
}

// Empty if nothing keeps it out.
std::string obstacle(const Login& here, const Login& there) {
  if (!there.may_log_in) return "may not log in";
  if (here.is_superuser || there.is_superuser) return "";
  if (here.verifier != there.verifier) return "has another password";
  if (here.valid_until != there.valid_until) return "is valid until " + there.valid_until + " instead of " + here.valid_until;
  return here.may_connect && !there.may_connect ? "may not connect to the database" : "";
}

}  // namespace

std::vector<std::string> logins_shut_out(Connection& source, Connection& target, const std::string& deployment,
                                         const std::vector<std::string>& ours, Deadline deadline) {
  const Logins there = read(target, deployment, deadline);
  std::vector<std::string> phrases;
  for (const auto& [name, login] : read(source, deployment, deadline)) {
    if (!login.may_log_in || std::ranges::find(ours, name) != ours.end()) continue;
    const auto other = there.find(name);
    const std::string what = other == there.end() ? "is missing" : obstacle(login, other->second);
    if (!what.empty()) phrases.push_back(name + " " + what);
  }
  return phrases;
}

}  // namespace verdigris
