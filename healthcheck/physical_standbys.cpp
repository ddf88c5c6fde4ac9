#include "healthcheck/questions.hpp"

namespace verdigris::questions {

// A standby that is promoted without the fence takes writes while green serves.
Findings physical_standbys(const CheckContext& context) {
  const Result answer = context.source.control().query(Sql(R"(
    SELECT r.application_name || coalesce(' (' || r.client_addr::text || ')', '')
    FROM pg_stat_replication r
    WHERE r.state <> 'backup' AND NOT EXISTS (
      SELECT FROM pg_replication_slots s WHERE s.active_pid = r.pid AND s.slot_type = 'logical')
    ORDER BY 1)"),
                                                     context.deadline);
  std::vector<std::string> names;
  for (const Row& row : answer.rows(1)) names.push_back(row.text(0));
  if (names.empty()) return {pass("fence.standbys", context.source.color() + " has no physical standby")};
  return {fail("fence.standbys", context.source.color() + ": physical standbys follow it and could be promoted unfenced: " + some_of(names),
               "Take them out of reach of your failover software, then waive fence.standbys by name.")};
}

}  // namespace verdigris::questions
