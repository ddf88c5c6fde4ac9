// Before the window, where all rows are too many to be compared while clients wait: they are compared now, and from then
// on the rows that change are followed on both sides (healthcheck/parity/rolling.hpp), so that the rest is compared in the
// window. It goes on while the crossing waits for its time, and is there until prove_parity has asked it.
#pragma once

#include "controller/cutover_facts.hpp"
#include "controller/playbook.hpp"
#include "controller/step.hpp"
#include "replication/server.hpp"
#include "replication/stream.hpp"
#include "replication/tool_runner.hpp"

namespace verdigris {

class FollowParity final : public Step {
 public:
  FollowParity(Source source, Target target, Streams there, Streams back, VerifySettings settings, ProgressCallback progress,
               CutoverFacts& facts)
      : source_(source),
        target_(target),
        there_(std::move(there)),
        back_(std::move(back)),
        settings_(settings),
        progress_(std::move(progress)),
        facts_(facts) {}
  std::string_view name() const override { return "follow_parity"; }
  std::string describe() const override;
  bool leaves_trace() const override { return false; }
  Readiness check(Deadline deadline) override;
  std::string apply(Deadline deadline) override;
  void undo(Deadline deadline) override;

 private:
  bool is_following();
  Source source_;
  Target target_;
  Streams there_, back_;
  VerifySettings settings_;
  ProgressCallback progress_;
  CutoverFacts& facts_;
};

// Whether the rows of both sides are too many for the window. Asked of the sizes in an agreement.
bool are_rows_followed(const VerifySettings& settings, const Agreement& agreement);

}  // namespace verdigris
