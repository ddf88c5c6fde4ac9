// A green that came as a copy of blue's files is led to only when all of its rows have been compared with blue's: what a
// copy may hold that no stream mends is seen by nothing else. Notes on that side, in verdigris.saved. One thread.
#pragma once

#include <string>

#include "replication/connection.hpp"

namespace verdigris {

// The control schema must be there.
void demand_full_verification(Connection& on, const std::string& deployment, Deadline deadline);
// position: through which all tables were equal, row for row.
void note_full_verification(Connection& on, const std::string& deployment, Lsn position, Deadline deadline);
// It is demanded, and has not happened yet.
bool lacks_full_verification(Connection& on, const std::string& deployment, Deadline deadline);

}  // namespace verdigris
