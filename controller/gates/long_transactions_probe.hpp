// Transactions of clients that have been open for longer than somebody would wait for in a pause, and prepared ones,
// which nobody can end. By policy they are waited for, refused, or ended right before clients are held.
#pragma once

#include "controller/gates/gate_watch.hpp"
#include "controller/playbook.hpp"
#include "replication/server.hpp"

namespace verdigris {

class LongTransactionsProbe final : public Probe {
 public:
  LongTransactionsProbe(Source source, LongTransactionsGate gate)
      : Probe("long_transactions"), source_(source), gate_(gate) {}
  std::string describe() const override;
  // With the policy terminate only what cannot be ended is in the way.
  std::optional<GateAnswer> ask(Deadline deadline) override;

 private:
  Source source_;
  LongTransactionsGate gate_;
};

class SourceTransactionsEnder final : public LongTransactionsEnder {
 public:
  SourceTransactionsEnder(Source source, std::chrono::milliseconds older_than)
      : source_(source), older_than_(older_than) {}
  std::vector<LongTransaction> to_be_ended(Deadline deadline) override;
  std::vector<LongTransaction> end_them(Deadline deadline) override;

 private:
  bool is_any_left(const std::vector<LongTransaction>& ended, Deadline deadline);
  Source source_;
  std::chrono::milliseconds older_than_;
};

}  // namespace verdigris
