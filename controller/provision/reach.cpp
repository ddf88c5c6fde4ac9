#include "controller/provision/reach.hpp"

#include <algorithm>

#include "replication/errors.hpp"

namespace verdigris {
namespace {

constexpr std::size_t kLongestSocketPath = 107;

std::string port_of(const Conninfo& conninfo) {
  return conninfo.has("port") ? conninfo.value("port") : "5432";
}

bool is_loopback(const std::string& address) {
  return address == "localhost" || address == "::1" || address.starts_with("127.");
}

void add_once(std::vector<std::string>& list, const std::string& value) {
  if (std::ranges::find(list, value) == list.end()) list.push_back(value);
}

void add_place(Reach& reach, const Conninfo& conninfo) {
  const std::string place = conninfo.has("hostaddr") ? conninfo.value("hostaddr") : conninfo.value("host");
  if (place.starts_with('/')) return add_once(reach.sockets, place);
  add_once(reach.addresses, place);
  reach.is_loopback_only &= is_loopback(place);
}

void require_short(const std::string& directory, const std::string& port) {
  const std::string path = directory + "/.s.PGSQL." + port;
  if (path.size() <= kLongestSocketPath) return;
  throw Refused("provision.socket-path", "green's socket \"" + path + "\" would be longer than 107 bytes",
                "Name a shorter directory in the playbook.");
}

}  // namespace

Reach reach_of(const Conninfo& green, const Conninfo& to_green, const std::filesystem::path& data_directory) {
  Reach reach{port_of(green), {}, {}, true};
  if (port_of(to_green) != reach.port)
    throw Refused("provision.reach",
                  "green is to be reached at port " + reach.port + " by clusters.green and at port " +
                      port_of(to_green) + " by replication.conninfo.to_green, and a server has one",
                  "Write the same port in both, or make green yourself and write provision: { green: existing }.");
  add_place(reach, green);
  add_place(reach, to_green);
  if (reach.sockets.empty()) reach.sockets.push_back(data_directory.string());
  for (const auto& directory : reach.sockets) require_short(directory, reach.port);
  return reach;
}

Conninfo through_socket(const Reach& reach, const std::string& user, const std::string& dbname) {
  return Conninfo()
      .with("host", reach.sockets.front())
      .with("port", reach.port)
      .with("user", user)
      .with("dbname", dbname);
}

}  // namespace verdigris
