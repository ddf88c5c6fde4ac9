#include "controller/steps/copy_sequences.hpp"

#include "controller/steps/fence_source.hpp"
#include "replication/sequences.hpp"
#include "replication/test_switches.hpp"

namespace verdigris {

std::string CopySequences::describe() const {
  return "raise the sequences of " + target_->color() + " to those of " + source_->color();
}

SequencePair& sequences_of(CutoverFacts& facts, Source source, Target target) {
  if (!facts.sequences) facts.sequences = std::make_unique<SequencePair>(*source, *target);
  return *facts.sequences;
}

Readiness CopySequences::check(Deadline deadline) {
  if (sequences_of(facts_, source_, target_).outgrown_ones(deadline).empty()) return Done{};
  return Ready{};
}

std::string CopySequences::apply(Deadline deadline) {
  if (is_mutant("sequences_not_copied")) return "left out";
  if (!is_mutant("no_fence")) wait_for_no_foreign_session(*source_, deadline);
  std::size_t all = 0;
  const auto ahead = sequences_of(facts_, source_, target_).outgrown_ones(deadline, &all);
  set_sequences(target_->control(), ahead, deadline);
  return std::to_string(all) + " read, " + std::to_string(ahead.size()) + " set on " + target_->color();
}

}  // namespace verdigris
