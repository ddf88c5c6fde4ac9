#include "controller/steps/publish_source.hpp"

#include <algorithm>

#include "replication/publication.hpp"
#include "replication/slot.hpp"
#include "replication/stream_groups.hpp"
#include "replication/table_groups.hpp"

namespace verdigris {
namespace {

std::vector<QualifiedName> sorted_names(const std::vector<PublishedTable>& tables) {
  std::vector<QualifiedName> names;
  for (const auto& table : tables) names.push_back(table.name);
  std::ranges::sort(names);
  return names;
}

std::vector<QualifiedName> sorted_names(const GroupedTables& groups) {
  std::vector<PublishedTable> all;
  for (const auto& group : groups) all.insert(all.end(), group.begin(), group.end());
  return sorted_names(all);
}

GroupedTables as_published(const TableGroups& groups, std::size_t streams) {
  GroupedTables out(std::max(streams, groups.size()));
  for (std::size_t i = 0; i < groups.size(); ++i)
    for (const auto& name : groups[i]) out[i].push_back({name});
  return out;
}

// A foreign key may have come since.
void require_together(Connection& source, const GroupedTables& published, Deadline deadline) {
  TableGroups groups;
  for (const auto& tables : published) {
    auto& group = groups.emplace_back();
    for (const auto& table : tables) group.push_back(table.name);
  }
  if (const auto tie = parted_tie(groups, table_ties(source, deadline)))
    throw Refused("repl.fk-groups", source.server() + ": the groups that were published part " + *tie,
                  "Run abandon, then prepare again: the groups are decided anew.");
}

}  // namespace

std::string PublishSource::describe() const {
  return "publish the tables of " + source_->color() + " as " + streams_.names() +
         (streams_.is_grouped() ? ", a group of them each" : "");
}

// What is published stays in its group, whatever is written by now. Tables that came or went before anything was copied
// are dealt out anew, into as many groups.
GroupedTables PublishSource::wanted(Deadline deadline) {
  Connection& source = source_->control();
  const auto tables = publishable(user_tables(source, deadline), filter_);
  if (!streams_.is_grouped()) return {tables};
  auto found = published_groups(source, streams_, deadline);
  if (sorted_names(found) == sorted_names(tables)) {
    require_together(source, found, deadline);
    return found;
  }
  auto decided = as_published(decide_groups(source, tables, {groups_.lists, streams_.groups()}, deadline), streams_.size());
  if (decided.size() == streams_.size()) return decided;
  throw Refused("repl.groups",
                source_->color() + ": the tables are published in " + std::to_string(streams_.size()) +
                    " groups, and replication.groups makes " + std::to_string(decided.size()),
                "Run abandon, then prepare again.");
}

bool PublishSource::is_as_published(Deadline deadline) {
  Connection& source = source_->control();
  return sorted_names(published_groups(source, streams_, deadline)) ==
         sorted_names(publishable(user_tables(source, deadline), filter_));
}

Readiness PublishSource::check(Deadline deadline) {
  Connection& source = source_->control();
  const bool is_copied = std::ranges::any_of(slot_states(source, streams_, deadline), &SlotState::exists);
  const bool has_markers = has_marker_groups(source, streams_.groups(), deadline);
  // A table that joins after the copy would have its earlier rows on one side only, so nothing is dealt out anew then.
  const bool is_same = !is_copied || !streams_.is_grouped() || is_as_published(deadline);
  const bool is_there = is_same && are_published(source, streams_, wanted(deadline), deadline);
  if (is_there && has_markers) return Done{};
  if (!is_there && is_copied)
    return Blocked{"tables of " + source_->color() + " were made, dropped or excluded since they were copied",
                   "Run abandon, then prepare again."};
  return Ready{};
}

PlannedActs PublishSource::statements(Deadline deadline) {
  Connection& source = source_->control();
  PlannedActs out;
  if (!has_marker_groups(source, streams_.groups(), deadline))
    for (const auto& statement : marker_group_statements(streams_.groups())) out.push_back({source_->color(), statement.text()});
  const auto tables = wanted(deadline);
  for (std::size_t i = 0; i < streams_.size(); ++i)
    for (const auto& statement : publishing_statements(source, streams_[i], tables[i], deadline))
      out.push_back({source_->color(), statement.text()});
  return out;
}

std::string PublishSource::apply(Deadline deadline) {
  Connection& source = source_->control();
  const auto tables = wanted(deadline);
  if (!streams_.is_grouped()) remove_marker_groups(source, deadline);  // of an attempt that ended before it published
  install_marker_groups(source, streams_.groups(), deadline);
  ensure_publications(source, streams_, tables, deadline);
  return std::to_string(sorted_names(tables).size()) + " tables published" +
         (streams_.is_grouped() ? " in " + std::to_string(streams_.size()) + " groups" : "");
}

// The publications last: by them it is known that there are groups.
void PublishSource::undo(Deadline deadline) {
  if (streams_.is_grouped()) remove_marker_groups(source_->control(), deadline);
  drop_publications(source_->control(), streams_, deadline);
}

}  // namespace verdigris
