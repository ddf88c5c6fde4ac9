// Where a copy stands before its first row, or before the next one: slot, snapshot, locks, the items, and the record of
// it on the target. A copy that was interrupted is gone on with if nothing that it stands on has changed; else it is begun
// anew, and why is said.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "replication/copy/copier.hpp"
#include "replication/copy/copy_record.hpp"
#include "replication/copy/snapshot_keeper.hpp"

namespace verdigris {

struct CopyGround {
  std::string run;
  CopyRecord record;
  std::vector<CopyItem> items;       // those that are there already are marked
  std::vector<QualifiedName> names;  // of all tables, by name
  // Our own session under the snapshot, with the locks, and the name it gave the snapshot; nothing if all rows are there.
  std::optional<Connection> locks;
  std::string snapshot;
  std::string encoding;  // in which the rows travel: as the target stores them, so that at most one side converts
  std::optional<SnapshotKeeper> keeper;
  std::optional<Connection> guard;  // from when there is a slot until the keeper has it
  std::string account;  // "went on: 37 of 40 tables were there", "begun anew: ..."; empty for a first run
};

CopyGround begin_copy(Server& source, Server& target, const Streams& streams, const CopySettings& settings, Deadline deadline);

}  // namespace verdigris
