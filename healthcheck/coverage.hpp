// Is every user table on its way? The published set, the subscribed set (each table in state r) and the user tables of
// both sides must be one set: a table that is missing from it is skipped silently while every position advances.
// One that is in two streams would stop the second.
#pragma once

#include "healthcheck/check.hpp"
#include "replication/stream.hpp"

namespace verdigris {

// A failure per set that lacks tables, naming them; notes for what replication cannot carry (unlogged and foreign
// tables). No failure: covered. Two statements, and two for each stream: cheap enough for a
// pause.
Findings coverage(Connection& source, Connection& target, const Streams& streams, Deadline deadline,
                  const TableSelection& filter = {});

}  // namespace verdigris
