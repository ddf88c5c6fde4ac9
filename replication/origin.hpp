// Replication origins: how far a subscription has applied its publisher's stream. The receiver keeps one per
// subscription, named pg_<oid>; its position is part of each applied commit, so it survives every crash (faults P10).
#pragma once

#include <optional>
#include <string>

#include "replication/connection.hpp"

namespace verdigris {

std::string origin_name(unsigned subscription_oid);
// The publisher's position up to which everything is applied and flushed here; nothing before the first applied commit.
std::optional<Lsn> origin_progress(Connection& receiver, unsigned subscription_oid, Deadline deadline);
// Only for a subscription that is disabled, was never enabled and has no worker: otherwise it may go backwards without
// a word and rows are applied twice (faults P11). Durable with the next synchronous commit.
void advance_origin(Connection& receiver, unsigned subscription_oid, Lsn to, Deadline deadline);

Sql advance_origin_statement();  // what it sends; $1 is the origin's name, $2 the position

Lsn wal_insert_position(Connection& on, Deadline deadline);
// The same, followed by a synchronous commit that touches no table: what lies before the position is on disk afterwards.
Lsn durable_wal_position(Connection& on, Deadline deadline);
Sql durable_position_statement();  // what it sends

}  // namespace verdigris
