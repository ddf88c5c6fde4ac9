// Asks both servers to hash and to print the same constants, so that a difference between majors, builds or machines is
// known before the first row is compared and never mistaken for a difference of data (parity.md section 5, "Probe").
#pragma once

#include "healthcheck/parity/row_hash.hpp"
#include "replication/connection.hpp"

namespace verdigris {

// One statement on each side. A kind whose hashes differ falls back to text; a type whose text differs is incomparable.
HashAgreement probe_hashes(Connection& source, Connection& target, Deadline deadline);

}  // namespace verdigris
