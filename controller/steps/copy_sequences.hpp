// Puts the target's sequences where the source's are: forward only, so that no value is handed out twice. StandReady has
// raised most of them. nextval passes the fence's triggers, so the last word has prove_parity, which reads them again
// when it has seen that no foreign session is left.
#pragma once

#include "controller/cutover_facts.hpp"
#include "controller/step.hpp"
#include "replication/server.hpp"

namespace verdigris {

// Prepared by WarmUp; made here if it was not.
SequencePair& sequences_of(CutoverFacts& facts, Source source, Target target);

// What raising sequences sends, without saying which.
Sql raising_of_any();

class CopySequences final : public Step {
 public:
  CopySequences(Source source, Target target, CutoverFacts& facts) : source_(source), target_(target), facts_(facts) {}
  std::string_view name() const override { return "copy_sequences"; }
  std::string describe() const override;
  Readiness check(Deadline deadline) override;
  PlannedActs statements(Deadline deadline) override;
  std::string apply(Deadline deadline) override;

 private:
  std::vector<SequencePosition> ahead(Deadline deadline);
  Source source_;
  Target target_;
  CutoverFacts& facts_;
  std::optional<std::vector<SequencePosition>> ahead_;  // what check() has just read, for apply()
  std::size_t all_ = 0;
};

}  // namespace verdigris
