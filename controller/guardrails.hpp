// Asks every check about a deployment, for `check` and as the gate of `prepare`.
#pragma once

#include "controller/deployment.hpp"
#include "controller/output.hpp"
#include "healthcheck/check.hpp"

namespace verdigris {

// What the playbook says, as the checks need it; finds pg_dump.
CheckSettings check_settings(Deployment& d);
// What the questions of a crossing need of it: nothing has to be looked for on this machine.
CheckSettings crossing_settings(const Deployment& d);
// The controller's roles and replication's on both sides: neither copied nor compared.
std::vector<std::string> our_roles(const Deployment& d);
enum class AskedBy { check, prepare };
// Both servers are connected. Changes nothing.
Findings ask_guardrails(Deployment& d, bool is_prepared, AskedBy by, Deadline deadline);
// Before the first record of a plan: a commit that waits for a standby that is away would hang. Throws Refused.
void require_commits_return(Deployment& d, Deadline deadline);
// Neither side says that green is still being loaded: a crash could take what it holds. Throws Refused
// "target.loading".
void require_not_loading(Deployment& d, Deadline deadline);
// A green that is a copy of blue's files has been compared with blue since, row for row. Throws Refused "verify.required".
void require_verified(Deployment& d, Deadline deadline);
// Two servers, and two primaries: asked before the leases, of which one database has only one. Throws Refused.
void require_two_primaries(Deployment& d, Deadline deadline);
// Prints failures and warnings; throws Refused "guardrails" naming the first failure if there is one.
void require_guardrails(Deployment& d, bool is_prepared, Output& output);

// At the end of prepare: whether green has a place for all of blue. Throws Refused naming the first thing it lacks.
void require_all_is_carried(Deployment& d);

// Backends of the serving side that come through a pooler, as the poolers say; one that does not answer is reported
// elsewhere.
std::vector<int> pooler_backends(Deployment& d, Deadline deadline);

}  // namespace verdigris
