// How many streams a direction has, and the marker tables of the further ones. Whoever writes a marker writes it into all
// of them with that one statement: a trigger of the writing side does it, which the apply worker does not fire.
#pragma once

#include <vector>

#include "replication/connection.hpp"
#include "replication/stream.hpp"

namespace verdigris {

// As this side's publications, slots and subscriptions say, whichever of them are there: what was decided when they were
// made. 1 if there are none.
int groups_on(Connection& on, const std::string& deployment, Deadline deadline);

// Marker tables and trigger for so many groups; nothing for one. Idempotent, in one transaction.
void install_marker_groups(Connection& on, int groups, Deadline deadline);
bool has_marker_groups(Connection& on, int groups, Deadline deadline);
void remove_marker_groups(Connection& on, Deadline deadline);  // idempotent

// What these send.
std::vector<Sql> marker_group_statements(int groups);
Sql marker_groups_removing_statement(int groups);

}  // namespace verdigris
