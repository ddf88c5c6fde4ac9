#include "replication/server.hpp"

namespace verdigris {

SessionOptions Server::options(const std::string& role, bool read_only) const {
  return {color_, "verdigris/" + deployment_ + "/" + role, read_only, {}};
}

bool Server::is_place_known() const {
  const bool has_host = conninfo_.has("host") || conninfo_.has("hostaddr");
  return conninfo_.has("service") || (has_host && conninfo_.has("dbname") && conninfo_.has("user"));
}

const Conninfo& Server::place() const {
  if (is_place_known()) return conninfo_;
  throw CannotConnect(color_, "where it is is not known: a program made it, and what it printed is noted on the other server only", {},
                      "Write its host, port, dbname and user in clusters." + color_ + " of the playbook.");
}

void Server::connect(Deadline deadline, bool read_only) {
  control_.reset();
  control_.emplace(Connection::open(place(), options("control", read_only), deadline));
  control_pids_.push_back(control_->backend_pid());
  version_ = control_->server_version();
  host_ = control_->host();
  port_ = control_->port();
  dbname_ = control_->dbname();
  user_ = control_->user();
}

void Server::give_up() {
  control_.reset();
  is_given_up_ = true;
}

Connection& Server::control() {
  if (!is_connected()) throw ConnectionLost(color_, "there is no control session");
  return *control_;
}

Connection Server::open(const std::string& role, Deadline deadline, bool read_only,
                        std::vector<std::pair<std::string, std::string>> settings) const {
  auto wanted = options(role, read_only);
  wanted.settings = std::move(settings);
  return Connection::open(place(), wanted, deadline);
}

Connection Server::open_replication(Deadline deadline) const {
  // lock_timeout bounds CREATE_REPLICATION_SLOT's waits; it can only be given at login there (copy.md section 5).
  const auto replication = place().with("replication", "database")
                               .with("options", "-c lock_timeout=3s -c statement_timeout=0 "
                                                "-c idle_in_transaction_session_timeout=0");
  return Connection::open_plain(replication, options("replication", false), deadline);
}

}  // namespace verdigris
