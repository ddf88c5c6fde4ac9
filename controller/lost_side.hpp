// A server that is lost for good, by the operator's word (--without): the commands that end something act on the other
// side alone and say what is left. Never guessed: a server that answers and is the one it was is not lost.
#pragma once

#include "controller/deployment.hpp"
#include "controller/invocation.hpp"
#include "controller/output.hpp"

namespace verdigris {

// Connects to both sides, or to all but the one that was given up. Throws Error "cannot-connect" whose hint names the
// way out, Refused "without.answers" if the lost side is there after all, "without.open" if another server stands in its
// place and takes writes.
void connect_but_for_lost(Deployment& d, const Invocation& invocation, Deadline deadline, Output& output);

// "left on green, should it return: ..."; empty if no side was given up.
std::string left_on_lost_side(Deployment& d);

}  // namespace verdigris
