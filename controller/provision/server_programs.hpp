// The programs of one installation of PostgreSQL that make, start and stop a cluster: by argv, as the server's user,
// each with a deadline. Errors say which program, where, and what it said. One thread.
#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "controller/sandbox/server_user.hpp"
#include "replication/conninfo.hpp"
#include "replication/deadline.hpp"
#include "replication/tool_runner.hpp"

namespace verdigris {

struct ControlData {
  std::string system_identifier, state;  // "in production", "shut down", ...
};

class ServerPrograms {
 public:
  ServerPrograms(std::filesystem::path bindir, ServerUser user, ToolRunner run);

  // Throws Refused "provision.program" if it is not there or not PostgreSQL's.
  int major(Deadline deadline) const;
  // arguments: beside the directory. Throws Error "provision.initdb".
  void initdb(const std::filesystem::path& data, const std::vector<std::string>& arguments, Deadline deadline) const;
  // Of the server there, whose log the slot keeps from then on. Throws Refused "provision.program", Error "provision.backup".
  void base_backup(const std::filesystem::path& data, const Conninfo& source, const std::string& slot, Deadline deadline) const;
  // Makes all that is in it durable: what a server without fsync has left to the system. Throws Error "provision.sync".
  void sync(const std::filesystem::path& data, Deadline deadline) const;
  bool is_running(const std::filesystem::path& data, Deadline deadline) const;
  // Returns when it takes connections; it outlives us. Throws Error "provision.start" with the end of its log.
  void start(const std::filesystem::path& data, Deadline deadline) const;
  // mode: fast, or immediate. Returns when it has ended. Throws Error "provision.stop".
  void stop(const std::filesystem::path& data, const std::string& mode, Deadline deadline) const;
  ControlData control_data(const std::filesystem::path& data, Deadline deadline) const;

 private:
  // death_signal: sent when we end; 0: what was started outlives us. As root it never does (see argv() of ServerUser).
  ToolResult run(const std::string& program, const std::vector<std::string>& arguments, Deadline deadline,
                 int death_signal = 0) const;

  std::filesystem::path bindir_;
  ServerUser user_;
  ToolRunner run_;
};

// In the data directory, where pg_ctl sends what the server says.
inline constexpr const char* kServerLog = "verdigris.log";

}  // namespace verdigris
