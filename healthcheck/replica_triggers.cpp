#include "healthcheck/questions.hpp"

namespace verdigris::questions {

// They fire in the apply worker: an audit row or an outbox message would be written on both sides.
Findings replica_triggers(const CheckContext& context) {
  const Result answer = context.source.control().query(Sql(R"(
    SELECT n.nspname || '.' || c.relname || '.' || f.name
    FROM (SELECT tgrelid AS relation, tgname AS name FROM pg_trigger
          WHERE tgenabled IN ('A', 'R') AND NOT tgisinternal AND tgname !~ '^verdigris_'
          UNION ALL
          SELECT ev_class, rulename FROM pg_rewrite WHERE ev_enabled IN ('A', 'R')) AS f
    JOIN pg_class c ON c.oid = f.relation JOIN pg_namespace n ON n.oid = c.relnamespace
    WHERE n.nspname <> 'verdigris' ORDER BY 1)"),
                                                     context.deadline);
  std::vector<std::string> names;
  for (const Row& row : answer.rows(1)) names.push_back(row.text(0));
  if (names.empty()) return {pass("schema.replica-triggers", "no trigger or rule fires in the apply worker")};
  return {warn("schema.replica-triggers",
               context.source.color() + ": triggers or rules that also fire in the apply worker: " + some_of(names),
               "Make sure that their effects may happen on both sides, or set them to ENABLE.")};
}

}  // namespace verdigris::questions
