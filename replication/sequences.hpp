// Positions of sequences, which logical replication does not carry. Read on a source that nobody writes to any more;
// set on the target so that no value is handed out twice: forward only, by the sign of the increment.
#pragma once

#include <cstdint>
#include <vector>

#include "replication/connection.hpp"

namespace verdigris {

struct SequencePosition {
  QualifiedName name;
  std::int64_t last_value;
  bool is_called;          // false: last_value itself has not been handed out
  std::int64_t increment;
  bool cycles;
  bool operator==(const SequencePosition&) const = default;
};

// All user sequences (owned, free, identity), ordered by name. One statement for all positions.
std::vector<SequencePosition> sequence_positions(Connection& on, Deadline deadline);

// Those of `source` whose next value the target could hand out a second time, or that the target lacks. A cycling
// sequence has no order: it counts unless equal.
std::vector<SequencePosition> outgrown(const std::vector<SequencePosition>& source,
                                       const std::vector<SequencePosition>& target);

// One statement for all. Throws ServerError if one does not exist there.
void set_sequences(Connection& on, const std::vector<SequencePosition>& positions, Deadline deadline);

}  // namespace verdigris
