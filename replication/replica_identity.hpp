// How a published table's rows are identified for UPDATE and DELETE. A published table without an identity makes both
// fail at its origin at once, so one is made before the publication: a usable unique index, else FULL. What was there
// is saved in the same transaction and put back by restore_identities() (pitfalls section 3).
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "replication/connection.hpp"
#include "replication/table_selection.hpp"

namespace verdigris {

struct IdentityChange {
  enum class To { primary_key, index, full };
  QualifiedName table;
  To to;
  std::optional<Identifier> index;  // for To::index
  std::string saved;                // JSON: schema, table, identity, index as they are now
};

// What to change so that every selected table (partitions one by one, inheritance children too) has an identity that a
// stream to and from `other_major` can use; empty if nothing. Changes nothing. Throws Refused "ri.full-type" for FULL
// over a type without equality and "ri.generated" for generated columns in an identity, which 18 does not send.
std::vector<IdentityChange> plan_identities(Connection& on, const TableSelection& filter, int other_major,
                                            Deadline deadline);

// Throws Refused "ri.none" naming the tables if there are any: replication.identity is refuse.
void require_no_change(const Connection& on, const std::vector<IdentityChange>& changes);

// ACCESS EXCLUSIVE on one table after the other, each for a moment and under a short lock_timeout.
Sql altering_statement(const IdentityChange& change);  // what it sends for one of them, beside saving what was
void apply_identities(Connection& on, const std::string& deployment, const std::vector<IdentityChange>& changes,
                      Deadline deadline);
// Puts everything saved back and forgets it; idempotent. Tables that are gone are passed over.
void restore_identities(Connection& on, const std::string& deployment, Deadline deadline);
struct RestoredIdentity {
  std::string key;                // that is forgotten with it
  std::optional<Sql> statement;  // nothing for a table that is gone
};
std::vector<RestoredIdentity> identities_to_restore(Connection& on, const std::string& deployment, Deadline deadline);
// A dump carries the changed identities to the target; what to put back there later must follow.
void copy_saved_identities(Connection& from, Connection& to, const std::string& deployment, Deadline deadline);

}  // namespace verdigris
