#include "controller/steps/raise_sequences.hpp"

#include "replication/sequences.hpp"

namespace verdigris {

std::string RaiseSequences::describe() const {
  return "raise the sequences of blue " + std::to_string(kSequenceMargin) + " values past those seen of green";
}

// Never Done: raised a second time they are only further ahead.
Readiness RaiseSequences::check(Deadline) { return Ready{}; }

std::string RaiseSequences::apply(Deadline deadline) {
  std::string seen = "{}";
  if (!green_->is_given_up())
    seen = green_->control().query(Sql("SELECT {}::text", sequences_as_json()), deadline).one_row(1).text(0);
  const int raised = raise_sequences(blue_->control(), "green", seen, kSequenceMargin, deadline);
  return std::to_string(raised) + " sequences of blue are " + std::to_string(kSequenceMargin) +
         " values (or a tenth of what they have left) past the positions " +
         (green_->is_given_up() ? "last seen of green" : "of green");
}

}  // namespace verdigris
