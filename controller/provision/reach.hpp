// Where a green that is made here has to listen, from how the playbook says it is reached: by the controller and by the
// other server. Plain values, any thread.
#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "replication/conninfo.hpp"

namespace verdigris {

struct Reach {
  std::string port;
  // Directories; never empty: the data directory, which is closed to others, if no other is named.
  std::vector<std::string> sockets;
  std::vector<std::string> addresses;  // for listen_addresses; empty: nothing but sockets
  bool is_loopback_only = true;        // of the addresses
};

// Throws Refused "provision.reach" if the two name different ports, "provision.socket-path" if a socket's name would be
// too long for the system.
Reach reach_of(const Conninfo& green, const Conninfo& to_green, const std::filesystem::path& data_directory);

// Through the first socket, as the superuser: how a server is reached that nobody else can log in to yet.
Conninfo through_socket(const Reach& reach, const std::string& user, const std::string& dbname);

}  // namespace verdigris
