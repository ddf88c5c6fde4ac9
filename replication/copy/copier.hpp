// The initial copy: slot, snapshot, and every selected table's rows under it, several tables at once, one transaction
// per table on the target. All or nothing as far as callers are concerned: after a failure, or a kill, call it again; it
// goes on with what is missing where the rules of snapshots allow it (copy_begin.hpp), else it starts over.
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <optional>
#include <vector>

#include "replication/catalog.hpp"
#include "replication/server.hpp"
#include "replication/copy/progress.hpp"
#include "replication/copy/snapshot_keeper.hpp"
#include "replication/copy/throttle.hpp"
#include "replication/stream.hpp"
#include "replication/table_selection.hpp"

namespace verdigris {

struct CopySettings {
  TableSelection filter = {};
  int workers = 2;
  // Asked every half second by the calling thread; what it throws stops the copy, what it returns is the number of
  // workers from then on.
  std::function<int(const CopyProgress&)> look = {};
  // How long somebody on the source may wait for a lock of the copy, as ALTER TABLE does, until it gives way.
  std::chrono::milliseconds ddl_wait{2000};
  int cores = 0;                     // of the machine, if both servers share one; 0: of this one
  CopyThrottle* throttle = nullptr;  // nothing: as fast as it goes
  KeepingTerms keeping = {};
  // Told that it goes on, or begins anew and why.
  std::function<void(const std::string&)> say = {};
};

struct CopyTotals {
  Lsn consistent_point;  // where the slot begins to send
  int tables = 0;
  std::int64_t rows = 0;
  std::int64_t bytes = 0;  // of rows as they were sent
  std::string account = {};  // what was said; empty for a first run
};

// Expects the publication, and the tables on the target with the columns of the source. The control
// schema is on the target. Unless it goes on, an existing slot of the stream (ours, unread) is dropped and rows of the
// selected tables on the target are removed. Everything is durable on return.
// Throws what the first failing table threw, after the others were stopped.
CopyTotals copy_all_tables(Server& source, Server& target, const Streams& streams, const CopySettings& settings,
                           Deadline deadline);

// Selected tables (leaves and plain ones) that hold at least one row, ordered by name.
std::vector<QualifiedName> tables_with_rows(Connection& on, const TableSelection& filter, Deadline deadline);

// One statement for all selected tables, so that foreign keys among them do not matter. For starting over and for undo.
void truncate_tables(Connection& on, const TableSelection& filter, Deadline deadline);
// What it sends; nothing if all of them are empty, down to their files.
std::optional<Sql> truncating_statement(Connection& on, const TableSelection& filter, Deadline deadline);

}  // namespace verdigris
