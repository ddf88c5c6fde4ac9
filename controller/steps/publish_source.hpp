// The publications of the streams that leave the source: the selected tables by name, each in the one of its group, and
// the markers. Made before the slots. Which table is in which group is decided once, by the first run.
#pragma once

#include "controller/step.hpp"
#include "replication/server.hpp"
#include "replication/stream.hpp"
#include "replication/table_groups.hpp"
#include "replication/table_selection.hpp"

namespace verdigris {

class PublishSource final : public Step {
 public:
  PublishSource(Source source, Streams streams, TableSelection filter, GroupsWanted groups = {})
      : source_(source), streams_(std::move(streams)), filter_(std::move(filter)), groups_(std::move(groups)) {}
  std::string_view name() const override { return "publish_source"; }
  std::string describe() const override;
  Readiness check(Deadline deadline) override;
  PlannedActs statements(Deadline deadline) override;
  std::string apply(Deadline deadline) override;
  void undo(Deadline deadline) override;

 private:
  GroupedTables wanted(Deadline deadline);
  bool is_as_published(Deadline deadline);
  Source source_;
  Streams streams_;
  TableSelection filter_;
  GroupsWanted groups_;
};

}  // namespace verdigris
