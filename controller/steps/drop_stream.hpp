// Removes what is left of a direction that is not needed any more: subscriptions, then slots, and their publications if
// those are not wanted again. On a side that was given up nothing is done.
#pragma once

#include "controller/step.hpp"
#include "replication/server.hpp"
#include "replication/stream.hpp"

namespace verdigris {

class DropStream final : public Step {
 public:
  enum class Publication { keep, drop };
  DropStream(Server& publisher, Server& subscriber, Streams streams, Publication publication)
      : publisher_(publisher), subscriber_(subscriber), streams_(std::move(streams)), publication_(publication) {}
  std::string_view name() const override { return "drop_stream"; }
  std::string describe() const override;
  Readiness check(Deadline deadline) override;
  PlannedActs statements(Deadline deadline) override;
  std::string apply(Deadline deadline) override;

 private:
  Server& publisher_;
  Server& subscriber_;
  Streams streams_;
  Publication publication_;
};

}  // namespace verdigris
