// In how many streams each direction is laid by prepare: decided by its first run, read from the publications from then on.
#pragma once

#include "controller/deployment.hpp"
#include "replication/table_groups.hpp"

namespace verdigris {

// What the playbook and the machines ask for.
GroupsWanted wanted_groups(Deployment& d);
// Blue answers. Throws Refused "repl.fk-groups", "repl.groups".
int groups_to_prepare(Deployment& d, Deadline deadline);

}  // namespace verdigris
