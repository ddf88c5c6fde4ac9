// Slots, snapshot and all rows under it. A half-finished copy is gone on with while the source keeps its snapshot,
// and starts over otherwise: slot dropped, tables emptied. Undo drops the slot and, if drop_target says so, empties what was copied.
#pragma once

#include "controller/playbook.hpp"
#include "controller/step.hpp"
#include "replication/copy/copier.hpp"
#include "replication/server.hpp"
#include "replication/stream.hpp"
#include "replication/tool_runner.hpp"

namespace verdigris {

// Of a target that came with all rows that were committed before that position: the step finds it done.
void note_rows_there(Connection& target, const std::string& deployment, Lsn position, Deadline deadline);

class CopyTables final : public Step {
 public:
  CopyTables(Source source, Target target, Streams streams, CopySettings settings, std::int64_t max_slot_wal_bytes,
             CopyPace pace, bool drop_target, ProgressCallback progress)
      : source_(source),
        target_(target),
        streams_(std::move(streams)),
        settings_(std::move(settings)),
        max_slot_wal_bytes_(max_slot_wal_bytes),
        pace_(pace),
        drop_target_(drop_target),
        progress_(std::move(progress)) {}
  std::string_view name() const override { return "copy_tables"; }
  std::string describe() const override;
  Readiness check(Deadline deadline) override;
  PlannedActs statements(Deadline deadline) override;
  std::string apply(Deadline deadline) override;
  void undo(Deadline deadline) override;

 private:
  void require_empty_target(Deadline deadline);

  Source source_;
  Target target_;
  Streams streams_;
  CopySettings settings_;
  std::int64_t max_slot_wal_bytes_;
  CopyPace pace_;
  bool drop_target_;
  ProgressCallback progress_;
};

}  // namespace verdigris
