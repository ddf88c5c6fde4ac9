// What blue has not received of a green that is to be left behind: measured where green answers, else only bounded by
// the age of the last marker that came from it.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "controller/invocation.hpp"
#include "replication/server.hpp"
#include "replication/stream.hpp"

namespace verdigris {

struct Loss {
  std::optional<std::string> marker_at;  // when green wrote the last marker that blue has
  std::optional<double> seconds;         // its age by blue's clock: everything before it is on blue
  std::optional<std::int64_t> bytes;     // of green's WAL behind what blue has applied; unknown if green does not answer
  std::string text() const;
};

Loss measure_loss(Server& green, Server& blue, const Stream& back, Deadline deadline);

// By the measure that was given: one that is unknown is accepted by no number. Throws Refused "force.loss" with both.
void require_accepted(const Loss& loss, const AcceptedLoss& accepted);

}  // namespace verdigris
