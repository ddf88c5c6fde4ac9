// Who answered: compared before each phase with what the plan's first record says, because behind the same address may
// be another server, a promoted standby or a restored backup (faults S11).
#pragma once

#include <string>

#include "replication/connection.hpp"

namespace verdigris {

struct ServerIdentity {
  std::string system_identifier;
  std::string timeline;   // from the name of the current WAL file: the control file hides a promotion for seconds
  std::string database;   // oid
  std::string token;      // of verdigris.identity; empty if not installed
  std::string started_at; // pg_postmaster_start_time(); not part of is_same_server()

  bool is_same_server(const ServerIdentity& other) const {
    return system_identifier == other.system_identifier && timeline == other.timeline && database == other.database &&
           token == other.token;
  }
};

// Throws Refused "target.standby" if the server is in recovery. insert_position: the end of its log as of now.
ServerIdentity server_identity(Connection& on, const std::string& deployment, Deadline deadline, Lsn* insert_position = nullptr);

}  // namespace verdigris
