#include "replication/full_verification.hpp"

#include "replication/control_schema.hpp"

namespace verdigris {
namespace {

constexpr const char* kDemanded = "verify:demanded";
constexpr const char* kVerified = "verify:full";

}  // namespace

void demand_full_verification(Connection& on, const std::string& deployment, Deadline deadline) {
  note_value(on, deployment, kDemanded, "true", deadline);
}

void note_full_verification(Connection& on, const std::string& deployment, Lsn position, Deadline deadline) {
  note_value(on, deployment, kVerified, "\"" + position.text() + "\"", deadline);
}

bool lacks_full_verification(Connection& on, const std::string& deployment, Deadline deadline) {
  return has_control_schema(on, deadline) && saved_value(on, deployment, kDemanded, deadline) &&
         !saved_value(on, deployment, kVerified, deadline);
}

}  // namespace verdigris
