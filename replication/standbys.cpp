#include "replication/standbys.hpp"

#include <algorithm>

namespace verdigris {

std::string Standby::describe() const { return name + (address.empty() ? "" : " (" + address + ")"); }

std::vector<Standby> physical_standbys(Connection& on, Deadline deadline) {
  const auto result = on.query(Sql(R"(
    SELECT r.application_name, coalesce(host(r.client_addr), ''), r.flush_lsn
    FROM pg_stat_replication r
    WHERE r.state <> 'backup' AND NOT EXISTS (
      SELECT FROM pg_replication_slots s WHERE s.active_pid = r.pid AND s.slot_type = 'logical')
    ORDER BY 1)"),
                               deadline);
  std::vector<Standby> out;
  for (const auto& row : result.rows(3)) out.push_back({row.text(0), row.text(1), row.lsn_or_null(2)});
  return out;
}

std::vector<std::string> standbys_behind(Connection& on, const std::vector<std::string>& names, Lsn position, Deadline deadline) {
  const auto there = physical_standbys(on, deadline);
  std::vector<std::string> behind;
  for (const auto& name : names) {
    const auto found = std::ranges::find(there, name, &Standby::name);
    if (found == there.end()) behind.push_back(name + " does not follow");
    else if (!found->flushed || *found->flushed < position)
      behind.push_back(found->describe() + " has flushed " + (found->flushed ? found->flushed->text() : "nothing") + " of " + position.text());
  }
  return behind;
}

}  // namespace verdigris
