// What blue has not received of a green that is to be left behind: measured where green answers, else only bounded by
// the age of the last marker that came from it, or of the decision that let clients go there.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "controller/invocation.hpp"
#include "controller/journal.hpp"
#include "replication/server.hpp"
#include "replication/stream.hpp"

namespace verdigris {

struct Loss {
  std::optional<std::string> marker_at;  // when green wrote the last marker that blue has
  std::optional<std::string> decided_at; // if that is later: when it was decided that green takes over
  std::optional<double> seconds;         // the age of the later one by blue's clock: everything before it is on blue
  std::optional<std::int64_t> bytes;     // of green's WAL behind what blue has applied; unknown if green does not answer
  bool is_grouped = false;               // the streams of several groups are not equally far
  std::string text() const;
};

// When the newest switch was decided, by the clock of its controller; nothing if there was none.
std::optional<std::string> last_switch_decided(const std::vector<Record>& records);

// decided_at: last_switch_decided(). Before it green took no write of a client.
Loss measure_loss(Server& green, Server& blue, const Streams& back, const std::optional<std::string>& decided_at, Deadline deadline);

// By the measure that was given: one that is unknown is accepted by no number. Throws Refused "force.loss" with both.
void require_accepted(const Loss& loss, const AcceptedLoss& accepted);

}  // namespace verdigris
