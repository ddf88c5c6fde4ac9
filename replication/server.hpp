// One of the two servers, and the two roles it can play. A Server owns the control session, which holds this side's
// lease: closing, deciding and opening run on it, so that they cannot run once another controller has the lease.
// Source and Target are different types: FenceSource(target) does not compile.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "replication/connection.hpp"

namespace verdigris {

class Server {
 public:
  // color: "blue" or "green"; what operators read.
  Server(std::string color, std::string deployment, Conninfo conninfo)
      : color_(std::move(color)), deployment_(std::move(deployment)), conninfo_(std::move(conninfo)) {}

  // Where it is, if that is learned only later. Until then no session can be opened: libpq would try whatever it finds.
  void lead_to(Conninfo conninfo) { conninfo_ = std::move(conninfo); }
  bool is_place_known() const;
  // Opens the control session anew (closing an earlier one). Throws CannotConnect.
  void connect(Deadline deadline, bool read_only = false);
  bool is_connected() const { return control_ && control_->is_open(); }
  // The operator says that it is lost for good: no session any more, and steps leave out what they would do there.
  void give_up();
  bool is_given_up() const { return is_given_up_; }
  // The control session; throws ConnectionLost if there is none. Never reconnects by itself: the lease would be gone.
  Connection& control();
  // Backend pids of all control sessions so far, the present one last: an earlier one may still hold the lease.
  const std::vector<int>& control_pids() const { return control_pids_; }
  // A further session; role becomes part of application_name.
  Connection open(const std::string& role, Deadline deadline, bool read_only = false,
                  std::vector<std::pair<std::string, std::string>> settings = {}) const;
  // A session that speaks the replication protocol (replication=database).
  Connection open_replication(Deadline deadline) const;

  const std::string& color() const { return color_; }
  const std::string& deployment() const { return deployment_; }
  const Conninfo& conninfo() const { return conninfo_; }
  int major() const { return version_ / 10000; }  // 0 before the first connect()
  int version() const { return version_; }
  // "db1:5432/orders", as libpq resolved it; for messages and for pointing a pooler at it.
  const std::string& host() const { return host_; }
  const std::string& port() const { return port_; }
  const std::string& dbname() const { return dbname_; }
  std::string endpoint() const { return host_ + ":" + port_ + "/" + dbname_; }
  const std::string& user() const { return user_; }

 private:
  SessionOptions options(const std::string& role, bool read_only) const;
  const Conninfo& place() const;
  std::string color_;
  std::string deployment_;
  Conninfo conninfo_;
  std::optional<Connection> control_;
  std::vector<int> control_pids_;
  bool is_given_up_ = false;
  int version_ = 0;
  std::string host_, port_, dbname_, user_;
};

// The side that clients write to before a plan; does not own the server.
class Source {
 public:
  explicit Source(Server& server) : server_(&server) {}
  Server* operator->() const { return server_; }
  Server& operator*() const { return *server_; }

 private:
  Server* server_;
};

// The side that clients write to after it; does not own the server.
class Target {
 public:
  explicit Target(Server& server) : server_(&server) {}
  Server* operator->() const { return server_; }
  Server& operator*() const { return *server_; }

 private:
  Server* server_;
};

}  // namespace verdigris
