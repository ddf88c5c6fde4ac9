// Roles and what hangs on them outside of a schema dump: attributes, password verifiers, memberships, settings, grants
// on the database. Nothing is dropped or taken away on the target; an ordinary login that exists there gets the
// source's attributes and verifier, letter for letter, because a pooler reuses its clients' keys (pitfalls F5, F6, B4).
// Needs superuser rights on both sides. One thread.
#pragma once

#include <string>
#include <vector>

#include "replication/connection.hpp"

namespace verdigris {

struct RoleScope {
  std::vector<std::string> ours;  // roles never copied or touched: the controller's and replication's
  std::string closed_deployment = {};  // whose connection fence is closed on the target: CONNECT comes with its opening
};

struct RoleReport {
  int roles = 0;  // created, or given other attributes
  int memberships = 0;
  int settings = 0;
  int grants = 0;                          // on the database
  std::vector<std::string> overwritten = {};  // logins that were there with another password or other attributes
  std::vector<std::string> left_out = {};  // settings that the target does not know or that could keep everybody out
  std::vector<std::string> statements = {};  // of a dry run: what would be sent, without verifiers
  int changes() const { return roles + memberships + settings + grants; }
};

// Makes the target's roles enough for the source's schema and clients, in one transaction; repeated, changes nothing.
// dry: only reads, for a report of what would be done; a value that the target will not take counts as to be done.
RoleReport copy_roles(Connection& source, Connection& target, const RoleScope& scope, bool dry, Deadline deadline);

}  // namespace verdigris
