// Where a switch or rollback waits: until the time of --at, for as long as somebody holds it, and for gates that are
// red, as long as they may be. While it waits for the others the gates are asked all the same, and changes told. Asks
// both servers through the control sessions, so a lost one is noticed during the wait and not behind it. One thread.
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>

#include "controller/gate.hpp"
#include "controller/gates/gate_watch.hpp"
#include "controller/start_time.hpp"
#include "replication/server.hpp"

namespace verdigris {

struct StartLimits {
  std::optional<WallTime> at;                              // not before
  std::optional<std::chrono::milliseconds> longest_hold;  // nothing: as long as it takes
};

class StartGate final : public Gate {
 public:
  // after_long_wait: what a wait of more than a minute makes necessary.
  StartGate(Server& blue, Server& green, StartLimits limits, std::function<void(Deadline)> after_long_wait,
            std::shared_ptr<GateWatch> watch = nullptr);
  std::optional<std::string> obstacle(Deadline deadline) override;
  std::optional<std::string> last_obstacle(Deadline deadline) override;
  std::optional<std::string> hold(Deadline deadline) override;
  void opened(Deadline deadline) override;

 private:
  std::optional<std::string> wait_for_people(Deadline deadline);
  std::optional<std::string> noted(std::optional<std::string> why);
  Server& blue_;
  Server& green_;
  StartLimits limits_;
  std::function<void(Deadline)> after_long_wait_;
  std::shared_ptr<GateWatch> watch_;  // perhaps none
  std::optional<std::chrono::steady_clock::time_point> closed_since_, held_since_;
};

}  // namespace verdigris
