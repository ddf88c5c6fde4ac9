// The schema `verdigris` on each side: identity, journal, marker, values to put back, and the functions of the fences.
// Owned by the controller's role, nothing in it for PUBLIC: who can write the journal chooses the winner (faults S16).
#pragma once

#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "replication/connection.hpp"

namespace verdigris {

// Idempotent; leaves what is there as it is. `side` is "blue" or "green"; the identity token is made once.
void install_control_schema(Connection& on, const std::string& deployment, const std::string& side, Deadline deadline);
std::vector<Sql> installing_statements();  // what it sends; $1 and $2, where they stand: deployment and side
// Publications that list the marker must be gone before. Idempotent.
void remove_control_schema(Connection& on, Deadline deadline);
Sql removing_statement();  // what it sends
// The first thing that a command asks of the schema. Throws Refused "schema.foreign" if there is one that is not ours:
// owned or writable by somebody who is neither superuser nor the controller, or without our tables. Reads catalogs only.
bool has_control_schema(Connection& on, Deadline deadline);

// A saved value, of both sides: from before the first row is copied to a green that is filled without its settings for
// good, until it is durable and restarted. What it holds may be lost with a crash, and nobody may be led there.
inline constexpr const char* kLoadingKey = "provision:loading";

// What must be put back later, written in the same transaction as the change itself, so that neither exists without the
// other. The first value wins and is never overwritten: a repeated step must not save its own change. JSON text.
void save_value(Connection& in_transaction, const std::string& deployment, const std::string& key,
                const std::string& value, Deadline deadline);
Sql saving_statement();  // what it sends; $1 is the deployment, $2 the key, $3 the value
// What is true of this moment only, and overwritten by the next one.
void note_value(Connection& on, const std::string& deployment, const std::string& key, const std::string& value,
                Deadline deadline);
Sql noting_statement();  // with the parameters of saving_statement()
std::optional<std::string> saved_value(Connection& on, const std::string& deployment, const std::string& key,
                                       Deadline deadline);
std::vector<std::pair<std::string, std::string>> saved_values(Connection& on, const std::string& deployment,
                                                              const std::string& key_prefix, Deadline deadline);
Sql forgetting_statement();
void forget_value(Connection& on, const std::string& deployment, const std::string& key, Deadline deadline);

}  // namespace verdigris
