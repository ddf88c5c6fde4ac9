#include "healthcheck/questions.hpp"

namespace verdigris::questions {

// Making a slot waits for every transaction that holds an id, in any database of the server.
Findings slot_blockers(const CheckContext& context) {
  Findings findings;
  for (Server* server : context.both()) {
    const Result answer = server->control().query(Sql(R"(
      SELECT 'pid ' || pid || ' (' || coalesce(usename, backend_type) || ', ' ||
             extract(epoch FROM clock_timestamp() - xact_start)::int8 || ' s)'
      FROM pg_stat_activity
      WHERE backend_xid IS NOT NULL AND pid <> pg_backend_pid() AND xact_start < clock_timestamp() - interval '10 s'
      ORDER BY xact_start)"),
                                                  context.deadline);
    std::vector<std::string> names;
    for (const Row& row : answer.rows(1)) names.push_back(row.text(0));
    if (names.empty()) continue;
    findings.push_back(warn("slot.blockers", server->color() + ": long write transactions: " + some_of(names),
                            "Let them end before prepare and switch, which wait for them."));
  }
  if (findings.empty()) findings.push_back(pass("slot.blockers", "no write transaction older than 10 s"));
  return findings;
}

}  // namespace verdigris::questions
