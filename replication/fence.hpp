// The write fence. A statement trigger on every member of every user table's partition tree, published or not, enabled
// from installation on; what its function's body says is the fence (cutover.md, "Objects"). Replacing the body takes no
// table lock, so opening fits into the transaction of a deciding record. Closing also locks every table: the proof that
// no writer is in flight. The apply worker runs as replica and passes. nextval, DDL and large objects pass too.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "replication/connection.hpp"

namespace verdigris {

// open: everybody writes. following: nobody but the controller's role (migrations on green). closed: nobody.
enum class FenceState { absent, open, following, closed, unknown };
std::string_view to_text(FenceState state);

struct Fences {
  FenceState tables = FenceState::absent, marker = FenceState::absent;
};
// In one round trip.
Fences fences(Connection& on, Deadline deadline);
// From the function's body, compared to the letter; a body that is not ours is `unknown`.
FenceState fence_state(Connection& on, Deadline deadline);
FenceState marker_fence_state(Connection& on, Deadline deadline);

// Creates or replaces the function; inside a transaction, decides when that commits. Two at once: the second fails with
// "tuple concurrently updated" (ServerError XX000), which means that another controller acted.
void set_fence(Transaction& transaction, FenceState state);
void set_marker_fence(Transaction& transaction, FenceState state);
// The marker's trigger and, if there is none yet, its function (open).
void install_marker_fence(Transaction& transaction);

// Tables without our enabled trigger that calls verdigris.fence() for all four events.
std::vector<QualifiedName> tables_without_fence(Connection& on, Deadline deadline);
// Creates the missing triggers under lock_timeout, tried again until the deadline: a VACUUM or an index build in the way
// costs time, never a queue of writers. Where clients write each table has its own transaction, and its locks end before
// that is on disk; where nobody does, many go together. On disk are all of them when it returns.
enum class FenceBy { table, hundreds };
void install_fence_triggers(Connection& on, FenceBy by, std::chrono::milliseconds lock_timeout, Deadline deadline);
void remove_fence_triggers(Connection& on, std::chrono::milliseconds lock_timeout, Deadline deadline);

// Every table with it, but for partitions that have it from their root.
std::vector<QualifiedName> tables_with_fence(Connection& on, Deadline deadline);
// What these send, for one table.
std::vector<Sql> trigger_statements(const Sql& table);
Sql trigger_removing_statement(const Sql& table);
Sql marker_trigger_statement(const QualifiedName& marker);  // each marker table has it

// The same as text, for a transaction in one round trip. open or closed only.
Sql fence_statement(FenceState state);
Sql marker_fence_statement(FenceState state);
Sql following_statement(const std::string& controller);  // but for this role

struct PreparedTransaction {
  std::string gid, owner;
  std::string since;  // UTC
  double seconds = 0;
  std::string describe() const;  // "\"gid\" of owner, prepared 2026-01-01 10:00:00Z, 12 s ago"
};
// The oldest of this database.
std::optional<PreparedTransaction> prepared_transaction(Connection& on, Deadline deadline);
std::vector<PreparedTransaction> prepared_transactions(Connection& on, Deadline deadline);  // oldest first

// Every table that the fence is for, with our trigger or without.
std::vector<QualifiedName> fenced_tables(Connection& on, Deadline deadline);

// What closes, in one round trip. tables may be empty: then nothing is locked.
Sql closing_statement(std::chrono::milliseconds lock_timeout, Flush flush, const std::vector<QualifiedName>& tables);

struct ClosedFence {
  int tables = 0;
  std::vector<QualifiedName> without_trigger = {};  // open all the same; not looked for if `tables` was given
  std::optional<PreparedTransaction> prepared = {};  // seen once all locks were had: it wrote none of these tables
};
// One transaction: body closed, LOCK TABLE of all in SHARE ROW EXCLUSIVE MODE, commit. Throws ServerError 55P03 when a
// writer or VACUUM does not let go within lock_timeout; nothing is changed then. tables: fenced_tables() of a moment ago,
// which spares the look; whoever gives it proves afterwards that no other table has come (tables_without_fence).
ClosedFence close_fence(Connection& on, std::chrono::milliseconds lock_timeout, Deadline deadline,
                        Flush flush = Flush::at_once, const std::vector<QualifiedName>& tables = {});

}  // namespace verdigris
