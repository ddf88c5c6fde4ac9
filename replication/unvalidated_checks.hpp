// CHECK constraints that are NOT VALID: rows that break them are legal on the source, and a COPY into a finished schema
// would refuse those rows (pitfalls X3). They are set aside for the time of the copy and put back NOT VALID.
#pragma once

#include <string>

#include "replication/connection.hpp"

namespace verdigris {

struct UnvalidatedCheck {
  QualifiedName table;
  Identifier name;
  std::string definition;  // "CHECK (...) NOT VALID"
  std::string saved;       // all of it as JSON
  std::string key() const;
  Sql dropping() const;
  Sql adding() const;
};
std::vector<UnvalidatedCheck> unvalidated_checks(Connection& on, Deadline deadline);

// Drops each and saves its definition in the same transaction. Returns how many. Idempotent.
int set_aside_unvalidated_checks(Connection& on, const std::string& deployment, Deadline deadline);
// Adds each saved one again and forgets it in the same transaction. Idempotent.
void put_back_unvalidated_checks(Connection& on, const std::string& deployment, Deadline deadline);

}  // namespace verdigris
