// Whether the apply worker of a subscription gets anywhere while we wait for it. A lost connection is no failure: the
// worker comes back by itself. One that fails again and again (a row in the way, a lock_timeout, rights taken away) never
// will, and whoever waits for a marker behind it should hear that at once.
#pragma once

#include <cstdint>
#include <optional>
#include <set>

#include "replication/server.hpp"
#include "replication/stream.hpp"

namespace verdigris {

class ApplyWatch {
 public:
  // `receiver` must outlive it. What failed before the first look does not count. `most_failures`: so many are too many;
  // one where clients wait, for whom even a worker that comes back by itself comes too late.
  ApplyWatch(Server& receiver, Stream stream, int most_failures = 2)
      : receiver_(receiver), stream_(std::move(stream)), most_failures_(most_failures) {}

  // Throws Error("apply.stopped") if the subscription is gone or disabled, Error("apply.failing") if its worker failed
  // that often since the first look. Up to 14 failures are not counted by the server: there new workers tell.
  void require_applying(Deadline deadline);
  // False if `until` passed first; looks at the worker now and then. Errors as above.
  bool wait_for_marker(std::int64_t id, Deadline until, Deadline deadline);

 private:
  Server& receiver_;
  Stream stream_;
  int most_failures_;
  std::optional<std::int64_t> errors_before_;
  std::set<int> workers_;
};

}  // namespace verdigris
