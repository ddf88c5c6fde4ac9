// `verdigris pooler adopt`: moves the databases of the playbook out of each PgBouncer's main file into an included file of
// ours, with clients running, or (--include-only) writes that file and says what the template of the main file must say.
#pragma once

#include "controller/invocation.hpp"
#include "controller/output.hpp"

namespace verdigris {

int run_pooler_adopt(const Invocation& invocation, Output& output);

}  // namespace verdigris
