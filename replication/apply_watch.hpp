// Whether the apply workers of a direction get anywhere while we wait for them. A lost connection is no failure: the
// worker comes back by itself. One that fails again and again (a row in the way, a lock_timeout, rights taken away) never
// will, and whoever waits for a marker behind it should hear that at once.
#pragma once

#include <cstdint>
#include <optional>
#include <set>
#include <vector>

#include "replication/server.hpp"
#include "replication/stream.hpp"

namespace verdigris {

class ApplyWatch {
 public:
  // `receiver` must outlive it. What failed before the first look does not count. `most_failures`: so many are too many;
  // one where clients wait, for whom even a worker that comes back by itself comes too late.
  ApplyWatch(Server& receiver, Streams streams, int most_failures = 2)
      : receiver_(receiver), streams_(std::move(streams)), most_failures_(most_failures), seen_(streams_.size()) {}

  // Throws Error("apply.stopped") if a subscription is gone or disabled, Error("apply.failing") if its worker failed
  // that often since the first look. Up to 14 failures are not counted by the server: there new workers tell.
  void require_applying(Deadline deadline);
  // By every stream. False if `until` passed first; looks at the workers now and then. Errors as above.
  bool wait_for_marker(std::int64_t id, Deadline until, Deadline deadline);

 private:
  struct Seen {
    std::optional<std::int64_t> errors_before;
    std::set<int> workers;
  };
  void require_applying(const Stream& stream, Seen& seen, Deadline deadline);

  Server& receiver_;
  Streams streams_;
  int most_failures_;
  std::vector<Seen> seen_;  // of each stream
};

}  // namespace verdigris
