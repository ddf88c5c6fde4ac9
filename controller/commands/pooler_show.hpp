// `verdigris pooler show`: per process, which file defines each database, where it leads, who uses it. Asks no server and
// changes nothing; exit code 3 if a switch could not use a process or its file.
#pragma once

#include "controller/invocation.hpp"
#include "controller/output.hpp"

namespace verdigris {

int run_pooler_show(const Invocation& invocation, Output& output);

}  // namespace verdigris
