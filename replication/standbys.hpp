// Physical standbys of a server, as it sees them: whoever is promoted without the fence takes writes while the other side
// serves. Called by one thread per connection.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "replication/connection.hpp"

namespace verdigris {

struct Standby {
  std::string name;  // application_name
  std::string address;
  std::optional<Lsn> flushed;
  std::string describe() const;  // "db1b (10.0.0.7)"
};

// Base backups under way and receivers of logical slots are none.
std::vector<Standby> physical_standbys(Connection& on, Deadline deadline);

// Physical slots that nobody reads now: a standby that is away has one, and so may an archive.
std::vector<std::string> physical_slots_without_reader(Connection& on, Deadline deadline);

// Those of `names` that have not flushed up to `position` on `on`, with how far they are; one that does not follow, too.
std::vector<std::string> standbys_behind(Connection& on, const std::vector<std::string>& names, Lsn position, Deadline deadline);

}  // namespace verdigris
