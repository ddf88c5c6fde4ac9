#include "controller/steps/copy_sequences.hpp"

#include "controller/steps/fence_source.hpp"
#include "replication/sequences.hpp"
#include "replication/test_switches.hpp"

namespace verdigris {

std::string CopySequences::describe() const {
  return "raise the sequences of " + target_->color() + " to those of " + source_->color();
}

Readiness CopySequences::check(Deadline deadline) {
  const auto ahead = outgrown(sequence_positions(source_->control(), deadline),
                              sequence_positions(target_->control(), deadline));
  if (ahead.empty()) return Done{};
  return Ready{};
}

std::string CopySequences::apply(Deadline deadline) {
  if (is_mutant("sequences_not_copied")) return "left out";
  wait_for_no_foreign_session(*source_, deadline);
  const auto source = sequence_positions(source_->control(), deadline);
  const auto ahead = outgrown(source, sequence_positions(target_->control(), deadline));
  set_sequences(target_->control(), ahead, deadline);
  return std::to_string(source.size()) + " read, " + std::to_string(ahead.size()) + " set on " + target_->color();
}

}  // namespace verdigris
