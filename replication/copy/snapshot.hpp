// The slot and the snapshot that starts exactly where it does: rows read under the snapshot plus changes sent by the
// slot are everything, once. Order: publication, slot, snapshot, data (copy.md sections 2, 3).
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "replication/server.hpp"
#include "replication/stream.hpp"

namespace verdigris {

struct SlotSnapshot {
  Lsn consistent_point;
  std::string name;    // for SET TRANSACTION SNAPSHOT
  Connection session;  // idle; any command on it, and its end, drop the snapshot
};

// Tried again until the deadline; meanwhile `say` is told which transactions are waited for. Throws
// Error("slot.blockers") naming those that were in the way until then.
SlotSnapshot create_slot_with_snapshot(Server& source, const Stream& stream, Deadline deadline,
                                       const std::function<void(const std::string&)>& say = {});

Error snapshot_lost(const std::string& why);
// gave_way_to: whom the copy has let do so; empty if nobody.
Error table_changed(const Server& source, const std::string& gave_way_to = {});

// A session whose transaction reads under the snapshot, and sends text in that encoding.
Connection open_under_snapshot(const Server& source, const std::string& role, const std::string& snapshot,
                               const std::string& encoding, Deadline deadline);

// On a session under the snapshot: ACCESS SHARE on all, because TRUNCATE and rewrites are not MVCC-safe.
void lock_tables(Connection& under_snapshot, const std::vector<QualifiedName>& tables, Deadline deadline);

// What these send.
Sql snapshot_slot_statement(const Stream& stream);
Sql locking_statement(const std::vector<QualifiedName>& tables);

// Changes when one of the tables is truncated, rewritten, renamed, or gets other columns: what was read of it by then may
// not be what is read later under the same name.
std::string storage_digest(Connection& on, const std::vector<QualifiedName>& tables, Deadline deadline);

}  // namespace verdigris
