// The subscriptions that follow the source from where the copy ends; enabled only when they hold every published table.
#pragma once

#include "controller/step.hpp"
#include "replication/server.hpp"
#include "replication/stream.hpp"
#include "replication/subscription.hpp"

namespace verdigris {

class SubscribeTarget final : public Step {
 public:
  // publisher: the source as the target's server reaches it.
  SubscribeTarget(Source source, Target target, Streams streams, Conninfo publisher,
                  ApplyAs apply_as = ApplyAs::owners_of_tables)
      : source_(source), target_(target), streams_(std::move(streams)), publisher_(std::move(publisher)), apply_as_(apply_as) {}
  std::string_view name() const override { return "subscribe_target"; }
  std::string describe() const override;
  Readiness check(Deadline deadline) override;
  PlannedActs statements(Deadline deadline) override;
  std::string apply(Deadline deadline) override;
  void undo(Deadline deadline) override;

 private:
  Source source_;
  Target target_;
  Streams streams_;
  Conninfo publisher_;
  ApplyAs apply_as_;
};

}  // namespace verdigris
