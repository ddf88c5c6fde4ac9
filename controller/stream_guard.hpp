// Whether the stream to the side that is to serve is there at all: asked before anything is done, so that a lost slot is
// told as what it is and not as a wait that runs out. Only reads; used by the thread of the command.
#pragma once

#include "controller/deployment.hpp"

namespace verdigris {

// source: colour of the side that serves now. Throws Refused "stream.lost" with what the other side has not received.
void require_following(Deployment& d, const std::string& source, Deadline deadline);

}  // namespace verdigris
