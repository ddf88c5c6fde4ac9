// What the target knows of a copy under way, so that the next run goes on where this one ended: what belongs to the whole,
// noted before the first row, and each item that is done, noted in the transaction of its rows. Values of
// verdigris.saved, keys "copy:begun", "copy:run" and "copied:...". One thread on the session it gives.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "replication/copy/plan.hpp"

namespace verdigris {

struct CopyRecord {
  Lsn consistent_point;           // where the slot begins, and the snapshot is
  std::string snapshot;           // the name that the keeper's session gave it
  std::string source, target;     // system identifiers
  std::string source_started_at;  // of the server process: no snapshot outlives it
  std::string storage;            // digest of the source's tables
  SplitTables parts = {};
};

struct CopiedItem {
  const CopyItem* item;
  Copied amount;
};

// From its return on nobody but this run notes what is done, and so nobody else's rows are committed: sessions of an
// earlier run are ended, and what one of them may still begin finds that its run is over.
std::string claim_copy(Connection& target, const std::string& deployment, Deadline deadline);
// Sessions of an earlier run on the source: one that hangs, or whose controller is stopped, holds locks on all tables.
void end_readers(Connection& source, const std::string& deployment, Deadline deadline);
void save_copy(Connection& target, const std::string& deployment, const CopyRecord& record, Deadline deadline);
std::optional<CopyRecord> saved_copy(Connection& target, const std::string& deployment, Deadline deadline);
// In the transaction of the rows. Throws Error("copy.other-run"): roll back.
void note_copied(Connection& in_transaction, const std::string& deployment, const std::string& run,
                 const std::vector<CopiedItem>& items, Deadline deadline);
// Those that are done already get their `copied`.
void mark_copied(std::vector<CopyItem>& items, Connection& target, const std::string& deployment, Deadline deadline);
// How many items are done; nothing if no copy is under way.
std::optional<std::int64_t> copied_items(Connection& target, const std::string& deployment, Deadline deadline);
void forget_copy(Connection& target, const std::string& deployment, Deadline deadline);

// What these send. $1 is the deployment; where it ends sessions, their application_name.
Sql ending_copiers_statement();
Sql claiming_statement();
Sql saving_copy_statement();
Sql noting_copied_statement();
Sql forgetting_copy_statement();

}  // namespace verdigris
