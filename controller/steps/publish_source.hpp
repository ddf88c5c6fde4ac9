// The publication of the stream that leaves the source: the selected tables by name, and the marker. Made before the
// slot.
#pragma once

#include "controller/step.hpp"
#include "replication/server.hpp"
#include "replication/stream.hpp"
#include "replication/table_selection.hpp"

namespace verdigris {

class PublishSource final : public Step {
 public:
  PublishSource(Source source, Stream stream, TableSelection filter)
      : source_(source), stream_(std::move(stream)), filter_(std::move(filter)) {}
  std::string_view name() const override { return "publish_source"; }
  std::string describe() const override;
  Readiness check(Deadline deadline) override;
  PlannedActs statements(Deadline deadline) override;
  std::string apply(Deadline deadline) override;
  void undo(Deadline deadline) override;

 private:
  Source source_;
  Stream stream_;
  TableSelection filter_;
};

}  // namespace verdigris
