// A person's word that no switch or rollback may begin to hold clients: a saved value on each side, so that it can be given
// from anywhere, without the lease, and stands until it is taken back. The controller at work reads it through its own
// sessions.
#pragma once

#include <optional>
#include <string>

#include "replication/server.hpp"

namespace verdigris {

struct Hold {
  std::string on;  // colour of the side it was found on
  std::string by;  // user, host, process
  std::string at;  // UTC, by the clock of that host
};

// "ann@db1, pid 4711, since 2026-12-01T01:00:00Z"
std::string describe(const Hold& hold);

// The side must be connected and have the control schema.
std::optional<Hold> hold_on(Server& server, Deadline deadline);
// The first of both; a side that is not connected, or has no control schema, holds nothing.
std::optional<Hold> any_hold(Server& blue, Server& green, Deadline deadline);
// False if there is one already, which stays.
bool place_hold(Server& server, Deadline deadline);
// False if there was none.
bool lift_hold(Server& server, Deadline deadline);

}  // namespace verdigris
