// A schema change that green gets before clients do, and the record that it was made: verdigris.migration on green,
// written in the same transaction. Runs on the target's control session under a lock_timeout, because apply is at work
// there.
#pragma once

#include <chrono>
#include <string>
#include <vector>

#include "replication/connection.hpp"

namespace verdigris {

struct Migration {
  std::string name;  // "0007_add_currency"
  std::string up;
  std::string down;
  std::string sha256;  // of up
};

// Names of `migrations` that are not applied yet, in order. Throws Refused "migration.changed" if one was applied with
// another text, "migration.order" if what was applied is not the beginning of the list.
std::vector<std::string> pending_migrations(Connection& on, const std::string& deployment,
                                            const std::vector<Migration>& migrations, Deadline deadline);

// One transaction each. Throws Error "migration.failed" naming it and the statement's error; earlier ones stay.
void apply_migrations(Connection& on, const std::string& deployment, const std::vector<Migration>& migrations,
                      std::chrono::milliseconds lock_timeout, Deadline deadline);
// What it sends beside their texts.
Sql migration_table_statement();
Sql migration_record_statement();
// Runs down.sql of those that are applied, last first, and forgets them.
void revert_migrations(Connection& on, const std::string& deployment, const std::vector<Migration>& migrations,
                       std::chrono::milliseconds lock_timeout, Deadline deadline);

}  // namespace verdigris
