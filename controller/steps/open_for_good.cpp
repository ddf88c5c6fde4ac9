#include "controller/steps/open_for_good.hpp"

#include "controller/shared_acts.hpp"
#include "replication/access.hpp"
#include "replication/fence.hpp"

namespace verdigris {

std::string OpenForGood::describe() const { return "take the fence off " + server_.color(); }

Readiness OpenForGood::check(Deadline deadline) {
  auto& on = server_.control();
  const auto result = on.query(Sql(R"(
    SELECT count(*) FROM pg_trigger WHERE tgname = 'verdigris_fence' AND NOT tgisinternal)"),
                               deadline);
  const bool has_triggers = result.one_row(1).integer(0) > 0;
  if (!has_triggers && !is_access_closed(on, server_.deployment(), deadline)) return Done{};
  return Ready{};
}

PlannedActs OpenForGood::statements(Deadline deadline) {
  const std::string here = server_.color();
  PlannedActs out{{here, fence_statement(FenceState::open).text()},
                  {here, marker_fence_statement(FenceState::open).text()},
                  {here, opening_access_statement().text(), {server_.deployment()}}};
  const auto tables = tables_with_fence(server_.control(), deadline);
  if (!tables.empty()) out.push_back({.on = here, .text = trigger_removing_statement(Sql("<table>")).text(), .each = sql_names(tables)});
  return out;
}

std::string OpenForGood::apply(Deadline deadline) {
  auto& on = server_.control();
  {
    Transaction transaction(on, deadline);
    set_fence(transaction, FenceState::open);
    set_marker_fence(transaction, FenceState::open);
    open_access(transaction, server_.deployment());
    transaction.commit();
  }
  remove_fence_triggers(on, lock_timeout_, deadline);
  return "no fence on " + server_.color() + " any more";
}

}  // namespace verdigris
