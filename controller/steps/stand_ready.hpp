// The last thing before clients wait: the target's sequences are raised to where the source's are now, so that only those
// that move in the next milliseconds are left for the window; what the window needs to know is looked up here; and what it
// will say to close and to open is said once on the same sessions, and rolled back. Poolers shed what they do not use.
// Nothing of it is relied upon there unproven: sequences and fence triggers are read again behind the fence.
#pragma once

#include "controller/cutover_facts.hpp"
#include "controller/step.hpp"
#include "controller/traffic.hpp"
#include "replication/server.hpp"
#include "replication/stream.hpp"

namespace verdigris {

class StandReady final : public Step {
 public:
  // keep: the roles that may still connect to the source behind its fence.
  StandReady(Source source, Target target, Streams there, std::vector<std::string> keep, Traffic& traffic, CutoverFacts& facts)
      : source_(source), target_(target), there_(std::move(there)), keep_(std::move(keep)), traffic_(traffic), facts_(facts) {}
  std::string_view name() const override { return "stand_ready"; }
  std::string describe() const override;
  bool leaves_trace() const override { return false; }  // of which anything else would depend
  Readiness check(Deadline) override { return Ready{}; }
  PlannedActs statements(Deadline deadline) override;
  std::string apply(Deadline deadline) override;
  void undo(Deadline deadline) override;

 private:
  void plan_questions(Deadline deadline);
  Source source_;
  Target target_;
  Streams there_;
  std::vector<std::string> keep_;
  Traffic& traffic_;
  CutoverFacts& facts_;
};

// The workers of the streams there as the window watches them; looked up here if StandReady did not.
WatchedApply& watched_apply(CutoverFacts& facts, Target target, const Streams& there, Deadline deadline);

}  // namespace verdigris
