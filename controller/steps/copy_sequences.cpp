#include "controller/steps/copy_sequences.hpp"

#include <utility>

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

// As they were read while the target drained, or now.
std::vector<SequencePosition> CopySequences::ahead(Deadline deadline) {
  auto& pair = sequences_of(facts_, source_, target_);
  auto look = std::exchange(facts_.sequence_look, std::nullopt);
  if (!look) return pair.outgrown_ones(deadline, &all_);
  all_ = look->all;
  return std::move(look->outgrown);
}

Readiness CopySequences::check(Deadline deadline) {
  ahead_ = ahead(deadline);
  if (ahead_->empty()) return Done{};
  return Ready{};
}

PlannedActs CopySequences::statements(Deadline) { return {{target_->color(), raising_of_any().text()}}; }

// Which they are, and how far, is known only then.
Sql raising_of_any() {
  return Sql("{}<, and so on, for each that is behind>",
             setting_statement({setval_call(Sql("<name>"), Sql("<last value>"), Sql("<is called>"))}));
}

std::string CopySequences::apply(Deadline until) {
  const Deadline deadline = bounded("endless_sequences", until);
  if (is_mutant("sequences_not_copied")) return "left out";
  const auto outgrown = ahead_ ? *std::exchange(ahead_, std::nullopt) : ahead(deadline);
  set_sequences(target_->control(), outgrown, deadline);
  return std::to_string(all_) + " read, " + std::to_string(outgrown.size()) + " set on " + target_->color();
}

}  // namespace verdigris
