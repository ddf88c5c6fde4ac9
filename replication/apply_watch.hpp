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
  // `receiver` must outlive it. What failed before the first look does not count.
  ApplyWatch(Server& receiver, Stream stream) : receiver_(receiver), stream_(std::move(stream)) {}

  // Throws Error("apply.stopped") if the subscription is gone or disabled, Error("apply.failing") if its worker failed
  // twice since the first look. Up to 14 failures are not counted by the server: there the third new worker says it.
  void require_applying(Deadline deadline);
  // False if `until` passed first; looks at the worker now and then. Errors as above.
  bool wait_for_marker(std::int64_t id, Deadline until, Deadline deadline);

 private:
  Server& receiver_;
  Stream stream_;
  std::optional<std::int64_t> errors_before_;
  std::set<int> workers_;
};

}  // namespace verdigris
