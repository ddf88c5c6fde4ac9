// The proof behind the fence, while both sides are still: coverage equal, every fence trigger still enabled, every table
// counted and summed on both sides, no sequence behind. Nothing crosses the line unproven.
#pragma once

#include "controller/cutover_facts.hpp"
#include "controller/step.hpp"
#include "replication/server.hpp"
#include "replication/stream.hpp"
#include "replication/table_selection.hpp"

namespace verdigris {

class ProveParity final : public Step {
 public:
  // readers: whether the target's connections are open for them; then its write fence alone keeps writers out.
  enum class Readers { elsewhere, on_target };
  // keep: the roles that may still connect to the source.
  ProveParity(Source source, Target target, Streams streams, TableSelection selection, Readers readers, std::vector<std::string> keep,
              CutoverFacts& facts)
      : source_(source),
        target_(target),
        streams_(std::move(streams)),
        selection_(std::move(selection)),
        readers_(readers),
        keep_(std::move(keep)),
        facts_(facts) {}
  std::string_view name() const override { return "prove_parity"; }
  std::string describe() const override;
  bool leaves_trace() const override { return false; }
  Readiness check(Deadline deadline) override;
  std::string apply(Deadline deadline) override;

 private:
  void require_fence_untouched(Deadline deadline);
  void require_target_closed(Deadline deadline);
  void require_no_inbound_subscription(Deadline deadline);
  void require_coverage(Deadline deadline);
  void require_sequences(Deadline deadline);
  void require_equal();
  Source source_;
  Target target_;
  Streams streams_;
  TableSelection selection_;
  Readers readers_;
  std::vector<std::string> keep_;
  CutoverFacts& facts_;
};

}  // namespace verdigris
