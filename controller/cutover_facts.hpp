// What one crossing learns on its way and hands from step to step: values, not state. After a crash only `line` is needed
// again, and that stands in the record `committed`.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "healthcheck/parity/parity.hpp"
#include "healthcheck/parity/rolling.hpp"
#include "replication/apply_watch.hpp"
#include "replication/identity.hpp"
#include "replication/lsn.hpp"
#include "replication/marker.hpp"
#include "replication/sequences.hpp"

namespace verdigris {

struct WatchedApply {
  std::vector<AppliedStream> streams;
  ApplyWatch watch;
};

struct SequenceLook {
  std::vector<SequencePosition> outgrown;  // to be set on the target
  std::size_t all;                         // of the source
};

struct CutoverFacts {
  std::optional<FinalMarker> marker;          // the source's last marker
  std::optional<ParityReport> parity;
  std::optional<Lsn> line;                    // L: where the reverse stream starts
  std::int64_t marker_floor = 0;              // markers of this plan have higher ids
  std::unique_ptr<ParitySessions> sessions;   // opened before the window
  std::unique_ptr<RollingParity> rolling;     // over these sessions, where changes are followed until the window
  std::unique_ptr<SequencePair> sequences;    // prepared before the window
  std::optional<SequenceLook> sequence_look;  // taken while the target drained, for copy_sequences
  std::optional<WatchedApply> apply;          // of the stream that is drained; known before the window
  std::vector<QualifiedName> tables_to_lock;  // on the source, as they were right before the window; empty: not known
  std::optional<std::vector<std::string>> reverse_enabled;  // when a forced rollback began: streams; empty: all
  bool was_green_there = false;               // a forced rollback began with green at hand, so it may have closed it
  ServerIdentity source_identity, target_identity;  // of the plan's first record
};

}  // namespace verdigris
