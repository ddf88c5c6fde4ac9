// What the demonstration breaks in the midst of a switch, and the wait until the supervisor has started it again.
#pragma once

#include <functional>
#include <string>

#include "controller/sandbox/own_command.hpp"
#include "controller/sandbox/sandbox_state.hpp"

namespace verdigris {

// For the timeline: what happens, and when.
std::string description_of(const std::string& fault);
// controller: the command is killed. source, target: that server crashes. pooler: it is killed.
void make_fault(const std::string& fault, const SandboxState& sandbox, OwnCommand& command);
// Where things are once all of them answer again. `pause` is called between looks and may throw. Throws DeadlinePassed.
SandboxState wait_healed(const std::string& fault, const SandboxState& before, const std::function<void()>& pause);

}  // namespace verdigris
