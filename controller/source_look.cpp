#include "controller/source_look.hpp"

#include <utility>

#include "replication/access.hpp"

namespace verdigris {
namespace {

constexpr std::chrono::milliseconds kLeaving{300};

}  // namespace

SourceLook::~SourceLook() {
  if (asked_ == Asked::nothing || !source_->is_connected()) return;
  try {
    source_->control().receive(Deadline::after(kLeaving));
  } catch (const Error&) {
    // A session that was lost is seen by whoever uses it next.
  }
}

void SourceLook::begin(bool nobody_left, Deadline deadline) {
  if (nobody_left) return ask_sequences(deadline);
  send_foreign_sessions(source_->control(), source_->deployment(), deadline);
  asked_ = Asked::sessions;
}

void SourceLook::ask_sequences(Deadline deadline) {
  reader_.send(deadline);
  asked_ = Asked::sequences;
}

void SourceLook::take(Deadline deadline) {
  const Asked asked = std::exchange(asked_, Asked::nothing);
  if (asked == Asked::sequences) {
    positions_ = reader_.receive(deadline);
    return;
  }
  if (receive_foreign_sessions(source_->control(), deadline).empty()) ask_sequences(deadline);
}

void SourceLook::advance(Deadline deadline) {
  if (asked_ != Asked::nothing && source_->control().has_answer()) take(deadline);
}

std::optional<std::vector<SequencePosition>> SourceLook::finish(Deadline deadline) {
  while (asked_ != Asked::nothing) take(deadline);
  return std::move(positions_);
}

}  // namespace verdigris
