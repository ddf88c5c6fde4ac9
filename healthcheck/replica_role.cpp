#include "healthcheck/questions.hpp"

namespace verdigris::questions {
namespace {

// Where it is written that sessions begin as replica: server, database, role.
constexpr auto kSettings = BasicSqlText<>(R"(
  SELECT 'the server''s configuration' AS who FROM pg_file_settings
  WHERE name = 'session_replication_role' AND setting <> 'origin' AND applied
  UNION ALL
  SELECT coalesce('role ' || r.rolname, 'database ' || d.datname, 'every role')
  FROM pg_db_role_setting s LEFT JOIN pg_roles r ON r.oid = s.setrole LEFT JOIN pg_database d ON d.oid = s.setdatabase
  CROSS JOIN unnest(s.setconfig) AS c
  WHERE c ~* '^session_replication_role=' AND c !~* '=origin$' AND (d.oid IS NULL OR d.datname = current_database()))");

// From 15 on the right to say SET can be granted.
constexpr auto kGrants = BasicSqlText<>(R"(
  SELECT 'grant to ' || coalesce(r.rolname, 'PUBLIC')
  FROM pg_parameter_acl p CROSS JOIN aclexplode(p.paracl) AS a LEFT JOIN pg_roles r ON r.oid = a.grantee
  WHERE p.parname = 'session_replication_role' AND a.privilege_type = 'SET' AND NOT coalesce(r.rolsuper, false))");

}  // namespace

// A session that runs as replica fires no ordinary trigger, so it writes through a closed fence (pitfalls G2, faults P26).
Findings replica_role(const CheckContext& context) {
  Connection& on = context.source.control();
  std::vector<std::string> names;
  const auto add = [&](const Sql& question) {
    const Result answer = on.query(question, context.deadline);
    for (const Row& row : answer.rows(1)) names.push_back(row.text(0));
  };
  add(Sql(kSettings));
  if (context.source.major() >= 15) add(Sql(kGrants));
  if (names.empty()) return {pass("fence.replica-role", "nobody on " + context.source.color() + " is let past its triggers")};
  return {fail("fence.replica-role",
               context.source.color() + ": sessions may run with session_replication_role=replica, past the fence: " + some_of(names),
               "Take the setting or the grant away until the switch is over, or waive fence.replica-role by name.")};
}

}  // namespace verdigris::questions
