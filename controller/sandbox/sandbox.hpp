// Starting and stopping a sandbox from outside: a supervisor process owns it (supervisor.hpp), these talk to it. A
// sandbox is named by its directory alone.
#pragma once

#include <filesystem>
#include <optional>

#include "controller/invocation.hpp"
#include "controller/output.hpp"
#include "controller/process.hpp"
#include "controller/sandbox/interruption.hpp"
#include "controller/sandbox/sandbox_state.hpp"

namespace verdigris {

// A short directory of this user's; where "sandbox up" puts it if nobody says where.
std::filesystem::path default_sandbox_dir();

enum class Lifetime { of_its_own, tied_to_us };  // tied: ends when the starting thread does

// Makes the directory and starts the supervisor. Throws Refused: "sandbox.directory" if it holds anything else,
// "sandbox.binaries", "sandbox.socket-path".
ChildProcess start_supervisor(const SandboxUpOptions& options, Lifetime lifetime);
// Waits until it is ready, saying how it goes. Nothing if `interruption` came first: then the sandbox is ended.
// Throws Error("sandbox.start") with the end of its log if it ends before.
std::optional<SandboxState> wait_ready(ChildProcess& supervisor, const std::filesystem::path& dir,
                                       Interruption& interruption, Output& output);
// Ends whatever runs there and removes the directory. False if there was nothing. Throws Refused("sandbox.directory")
// if the directory is not a sandbox's.
bool stop_sandbox(const std::filesystem::path& dir, Deadline deadline);

}  // namespace verdigris
