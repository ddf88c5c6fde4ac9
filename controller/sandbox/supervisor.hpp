// The process that owns a sandbox: makes the servers and the pooler, fills blue, starts again what dies, and on
// SIGTERM, SIGINT or SIGHUP ends all of it at once and removes the directory. Its children end with it even if it is
// killed. It holds a lock on <dir>/lock while it lives: that, and not a pid in a file, tells whether a sandbox runs.
#pragma once

#include <filesystem>
#include <optional>

#include "controller/invocation.hpp"
#include "controller/output.hpp"

namespace verdigris {

// Returns when a signal asked for the end. The directory exists and is ours. Throws what stands in the way.
void supervise(const SandboxUpOptions& options, Output& output);

// The supervisor that holds the lock of this directory.
std::optional<pid_t> find_supervisor(const std::filesystem::path& dir);

}  // namespace verdigris
