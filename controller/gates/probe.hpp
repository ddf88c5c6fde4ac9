// One gate at work: whether it is green now. Each kind is a file of its own; when it is asked, how long it may be
// waited for and what is said of it is the watch's (gate_watch.hpp). One thread.
#pragma once

#include <optional>
#include <string>

#include "replication/deadline.hpp"

namespace verdigris {

struct GateAnswer {
  std::string red;  // what was seen, in one sentence; empty: it is green
  std::string hint = {};
  bool is_settling = false;  // red, but on its way: not counted as waited for
  bool is_green() const { return red.empty(); }
};

class Probe {
 public:
  explicit Probe(std::string id) : id_(std::move(id)) {}
  virtual ~Probe() = default;
  const std::string& id() const { return id_; }
  virtual std::string describe() const = 0;  // as plan prints it
  // Nothing: a program is under way, ask again soon. Throws Error if it cannot be asked, ConnectionLost for the control
  // sessions.
  virtual std::optional<GateAnswer> ask(Deadline deadline) = 0;
  virtual bool runs_program() const { return false; }

 private:
  std::string id_;
};

}  // namespace verdigris
