// What is where in a sandbox: the content of <dir>/sandbox.json, written by the supervisor whenever it changes, read by
// everybody else. Passwords are not in it; `passfile` leads to them.
#pragma once

#include <sys/types.h>

#include <filesystem>
#include <optional>
#include <string>

#include "replication/conninfo.hpp"

namespace verdigris {

struct SandboxServer {
  int major = 0;
  std::string version;
  pid_t pid = 0;
  std::string host;  // directory of its socket
  int port = 0;
};

struct SandboxState {
  std::filesystem::path dir;
  std::string phase;  // "starting", "ready"
  SandboxServer blue, green, pooler;
  std::filesystem::path passfile;

  std::filesystem::path playbook() const { return dir / "verdigris.yaml"; }
  std::filesystem::path ledger() const { return dir / "ledger"; }  // where a load writes unless told otherwise
  const SandboxServer& side(const std::string& color) const { return color == "green" ? green : blue; }
  // To database shop, of a server or through the pooler.
  Conninfo conninfo(const SandboxServer& server, const std::string& user) const;
};

void write_state(const SandboxState& state);  // replaces the file as a whole
// Nothing if there is none (yet); throws Error("sandbox.state") if it cannot be understood.
std::optional<SandboxState> read_state(const std::filesystem::path& dir);
// As above, of a sandbox that is ready; throws Refused("sandbox.absent").
SandboxState require_sandbox(const std::filesystem::path& dir);

}  // namespace verdigris
