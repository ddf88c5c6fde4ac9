// Can those who log in to the source log in to the target as well? Compared, not tried: a pooler hands on the keys of its
// clients, so the verifier must be the same letter for letter (pitfalls F5). Reads pg_authid; needs superuser rights.
#pragma once

#include <string>
#include <vector>

#include "replication/connection.hpp"

namespace verdigris {

// One phrase for each role of the source that could not, without those in `ours`: "app has another password",
// "clerk is missing". Superusers are only looked for. The target may be closed by our connection fence: then what counts
// is what opening it will put back.
std::vector<std::string> logins_shut_out(Connection& source, Connection& target, const std::string& deployment,
                                         const std::vector<std::string>& ours, Deadline deadline);

}  // namespace verdigris
