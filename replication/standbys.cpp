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

std::vector<std::string> physical_slots_without_reader(Connection& on, Deadline deadline) {
  const auto result = on.query(Sql("SELECT slot_name FROM pg_replication_slots WHERE slot_type = 'physical' AND NOT active ORDER BY 1"),
                               deadline);
  std::vector<std::string> out;
  for (const auto& row : result.rows(1)) out.push_back(row.text(0));
  return out;
}

std::vector<std::string> standbys_behind(Connection& on, const std::vector<std::string>& names, Lsn position, Deadline deadline) {
  const auto there = physical_standbys(on, deadline);
  std::vector<std::string> behind;
  for (const auto& name : names) {
    if (std::ranges::find(there, name, &Standby::name) == there.end()) behind.push_back(name + " does not follow");
    for (const auto& one : there)  // a name is not unique
      if (one.name == name && (!one.flushed || *one.flushed < position))
        behind.push_back(one.describe() + " has flushed " + (one.flushed ? one.flushed->text() : "nothing") + " of " + position.text());
  }
  return behind;
}

}  // namespace verdigris
