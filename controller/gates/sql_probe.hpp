// A question of the operator to one side: read only, one statement, one row with one column, and not for long. On a
// session of its own that stays open: the control session has the lease, and what somebody else wrote could take it
// away.
#pragma once

#include <optional>

#include "controller/gates/probe.hpp"
#include "controller/playbook.hpp"
#include "replication/server.hpp"

namespace verdigris {

class SqlProbe final : public Probe {
 public:
  SqlProbe(Server& on, SqlGate gate) : Probe(gate.id), on_(on), gate_(std::move(gate)) {}
  std::string describe() const override;
  std::optional<GateAnswer> ask(Deadline deadline) override;

 private:
  std::optional<std::string> answer(Deadline deadline);
  Server& on_;
  SqlGate gate_;
  std::optional<Connection> session_;
};

}  // namespace verdigris
