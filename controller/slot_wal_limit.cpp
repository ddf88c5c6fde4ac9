#include "controller/slot_wal_limit.hpp"

#include "replication/origin.hpp"
#include "replication/slot.hpp"

namespace verdigris {
namespace {

constexpr std::chrono::milliseconds kWalLook{2'000};

std::string mebibytes_of(std::int64_t bytes) { return std::to_string(bytes >> 20) + " MiB"; }

}  // namespace

void SlotWalLimit::require_kept(Deadline deadline) {
  if (next_look_ && !next_look_->has_passed()) return;
  next_look_ = Deadline::after(kWalLook);
  const auto states = slot_states(publisher_.control(), streams_, deadline);
  std::optional<Lsn> kept_from;
  for (std::size_t i = 0; i < states.size(); ++i) {
    const auto& state = states[i];
    if (!state.is_usable()) {
      if (!was_there_) return;  // the step itself finds out, and says it
      throw Error("slot.gone",
                  publisher_.color() + ": replication slot " + streams_[i].name + (state.exists ? " was invalidated by the server" : " was dropped by somebody"),
                  "What was copied cannot be followed without it: run verdigris prepare again if it was in the midst of the copy, "
                  "else abandon, then prepare.");
    }
    if (!kept_from || state.restart < *kept_from) kept_from = state.restart;
  }
  was_there_ = true;
  const auto before = kept_;
  kept_ = (wal_insert_position(publisher_.control(), deadline) - *kept_from).count;
  if (most_bytes_ == 0 || kept_ <= most_bytes_ || kept_ < before) return;  // less than before: it is being read
  drop_slots(publisher_.control(), streams_, deadline, SlotReader::is_ended);
  const bool is_one = !streams_.is_grouped();
  throw Error("slot.wal-limit",
              publisher_.color() + ": " + mebibytes_of(kept_) + " of WAL were kept for replication slot" + (is_one ? " " : "s ") +
                  streams_.names() + ", replication.max_slot_wal is " + mebibytes_of(most_bytes_) +
                  (is_one ? "; the slot was dropped" : "; they were dropped"),
              "Raise replication.max_slot_wal or wait for a quieter time, then run abandon and prepare again.");
}

}  // namespace verdigris
