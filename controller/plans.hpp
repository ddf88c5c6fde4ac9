// What the product does, as lists of steps. A newcomer reads plans.cpp and phases.cpp and knows it.
#pragma once

#include <chrono>
#include <memory>
#include <optional>

#include "controller/deployment.hpp"
#include "controller/gates/gate_watch.hpp"
#include "controller/invocation.hpp"
#include "controller/plan.hpp"

namespace verdigris {

struct FinishOptions {
  bool open_blue = false;
};

// From an empty green to one that follows blue, migrated, closed, with the way back laid. drop_green: taking it back
// also removes what was copied to green.
Plan prepare_plan(Deployment& d, bool drop_green = false);
// Clients move from source to target. Rolling back is the same plan with the sides exchanged.
// max_pause: if it is not the playbook's.
// watch: of crossing_gates(); nothing: one of its own.
Plan cutover_plan(Deployment& d, Source source, Target target, std::optional<std::chrono::milliseconds> max_pause = {},
                  std::shared_ptr<GateWatch> watch = nullptr);
// The playbook's gates as they count for a crossing, and what its steps would refuse, to be asked while it waits. What
// the operator's own questions and programs say of green keeps nobody there: a rollback asks only lag and long
// transactions.
std::shared_ptr<GateWatch> crossing_gates(Deployment& d, Source source, Target target, GateWatch::Say say = nullptr);
// Readers alone are led to a side while blue serves, without fence or pause; green's connections are open for them as long
// as they are there. resumed: some of it may have been done, so that poolers may lead either way.
enum class ReadsStart { fresh, resumed };
Plan reads_plan(Deployment& d, const std::string& to, ReadsStart start);
// Before a switch, all of it is taken back: the plan of prepare, from its end to its beginning.
Plan abandon_plan(Deployment& d, bool drop_green);
// Blue opens without green: green is closed and drained as far as it answers. Led by blue's journal alone.
Plan emergency_plan(Deployment& d, const AcceptedLoss& accepted);
// Ends the way back to the follower.
Plan finish_plan(Deployment& d, Source serving, Target follower, FinishOptions options);

}  // namespace verdigris
