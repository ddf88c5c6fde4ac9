// What the window will say, said before it in transactions that are rolled back: the first run of a function in a session
// compiles and plans it and reads the catalogs, which took longer than the act itself. Nobody else sees anything of it.
#pragma once

#include <string>
#include <vector>

#include "replication/connection.hpp"

namespace verdigris {

// On the session that will close that side: close_access() and the closed fence, without a lock on any user table. Returns
// whom that would not keep out (roles_let_in).
std::vector<std::string> rehearse_closing(Connection& on, const std::string& deployment, const std::vector<std::string>& keep,
                                          Deadline deadline);
// On the session that will open that side: both functions and open_access().
void rehearse_opening(Connection& on, const std::string& deployment, Deadline deadline);

}  // namespace verdigris
