// Closes the source: no new connections, no foreign session left, every table refuses writes, no prepared transaction.
// The closing transaction locks every table once: the proof that no writer is in flight. Opening it again is part of the
// transaction that decides `undone`.
#pragma once

#include <chrono>
#include <string>
#include <vector>

#include "controller/cutover_facts.hpp"
#include "controller/playbook.hpp"
#include "controller/step.hpp"
#include "controller/traffic.hpp"
#include "replication/fence.hpp"
#include "replication/lock_holders.hpp"
#include "replication/server.hpp"

namespace verdigris {

class FenceSource final : public Step {
 public:
  // keep: roles that must still be able to connect (replication, owner of our subscription).
  // Server processes of a paused pool are left to end by themselves: DrainToMarker waits for them.
  FenceSource(Source source, const FenceSettings& settings, std::vector<std::string> keep, const Traffic& traffic,
              CutoverFacts& facts)
      : source_(source), lock_timeout_(settings.lock_timeout), bypass_(settings.bypass), autovacuum_(settings.autovacuum), keep_(std::move(keep)),
        traffic_(traffic), facts_(facts) {}
  std::string_view name() const override { return "fence_source"; }
  std::string describe() const override;
  Readiness check(Deadline deadline) override;
  PlannedActs statements(Deadline deadline) override;
  std::string apply(Deadline deadline) override;
  void undo_with_decision(Transaction& decision) override;

 private:
  void require_no_foreign_session(Deadline deadline);
  ClosedFence close(Deadline deadline);
  std::chrono::milliseconds first_patience() const;
  void require_no_prepared_transaction(Deadline deadline);
  [[noreturn]] void throw_locked(const std::vector<LockHolder>& holders) const;
  [[noreturn]] void throw_prepared(const PreparedTransaction& prepared) const;
  Source source_;
  std::chrono::milliseconds lock_timeout_;
  BypassPolicy bypass_;
  AutovacuumPolicy autovacuum_;
  std::vector<std::string> keep_;
  const Traffic& traffic_;
  CutoverFacts& facts_;
};

}  // namespace verdigris
