#include "replication/server.hpp"

namespace verdigris {

SessionOptions Server::options(const std::string& role, bool read_only) const {
  return {color_, "verdigris/" + deployment_ + "/" + role, read_only, {}};
}

void Server::connect(Deadline deadline, bool read_only) {
  control_.reset();
  control_.emplace(Connection::open(conninfo_, options("control", read_only), deadline));
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
  return Connection::open(conninfo_, wanted, deadline);
}

Connection Server::open_replication(Deadline deadline) const {
  // lock_timeout bounds CREATE_REPLICATION_SLOT's waits; it can only be given at login there (copy.md section 5).
  const auto replication = conninfo_.with("replication", "database")
                               .with("options", "-c lock_timeout=3s -c statement_timeout=0 "
                                                "-c idle_in_transaction_session_timeout=0");
  return Connection::open_plain(replication, options("replication", false), deadline);
}

}  // namespace verdigris
