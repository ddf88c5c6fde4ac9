// switch, rollback and the rest of a crash, as commands share them: run the cutover plan, report what clients saw.
#pragma once

#include "controller/attempts.hpp"
#include "controller/deployment.hpp"
#include "controller/invocation.hpp"
#include "controller/output.hpp"
#include "controller/runner.hpp"

namespace verdigris {

RunLimits limits_of(const Playbook& playbook, const Invocation& invocation);
Runner make_runner(Deployment& d, const Plan& plan, const Invocation& invocation, RunObserver& observer,
                   Gate* gate = nullptr);

// Every step's description and check; changes nothing. effect: what clients meet. Returns the exit code.
int dry_run(const Plan& plan, const std::string& command, const std::string& effect, Output& output);

// Before a person is asked: that clients will see errors, if nothing is known to hold them.
void warn_of_errors(const Traffic& traffic, Output& output);

// `switch` or `rollback`: opens the deployment, asks, crosses, reports. Returns the exit code.
int run_crossing(const Invocation& invocation, Output& output);

// One document and one sentence about how a crossing ended. command: "switch", "rollback" or "recover".
// undone: the attempts that were undone before it, and it itself if it was.
int report_crossing(Deployment& d, const RunResult& result, const std::string& command, Output& output,
                    const std::vector<RunResult>& undone = {});

}  // namespace verdigris
