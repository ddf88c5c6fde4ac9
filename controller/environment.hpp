// What libpq would take from the environment and apply to both clusters alike. Called once, before any thread exists.
#pragma once

#include <string>
#include <vector>

namespace verdigris {

// One password would be offered to two clusters and every console, and can be read in /proc. Throws Error (usage)
// "env-password".
void refuse_password_in_environment();

// Removes PGHOST, PGUSER and the like from our environment (and so from our children's); returns the names removed.
std::vector<std::string> remove_connection_defaults();

// Makes sure that descriptors 0 to 2 are open: a socket that got number 1 would receive what we print.
void open_standard_descriptors();

}  // namespace verdigris
