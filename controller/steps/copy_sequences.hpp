// Puts the target's sequences where the source's are: forward only, so that no value is handed out twice. The source's
// positions are final because it is fenced and no foreign session is left (nextval passes the fence's triggers).
#pragma once

#include "controller/cutover_facts.hpp"
#include "controller/step.hpp"
#include "replication/server.hpp"

namespace verdigris {

// Prepared by WarmUp; made here if it was not.
SequencePair& sequences_of(CutoverFacts& facts, Source source, Target target);

class CopySequences final : public Step {
 public:
  CopySequences(Source source, Target target, CutoverFacts& facts) : source_(source), target_(target), facts_(facts) {}
  std::string_view name() const override { return "copy_sequences"; }
  std::string describe() const override;
  Readiness check(Deadline deadline) override;
  std::string apply(Deadline deadline) override;

 private:
  Source source_;
  Target target_;
  CutoverFacts& facts_;
};

}  // namespace verdigris
