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
  const auto state = slot_state(publisher_.control(), stream_, deadline);
  if (!state.is_usable()) {
    if (!was_there_) return;  // the step itself finds out, and says it
    throw Error("slot.gone",
                publisher_.color() + ": replication slot " + stream_.name + (state.exists ? " was invalidated by the server" : " was dropped by somebody"),
                "What was copied cannot be followed without it: run verdigris prepare again if it was in the midst of the copy, "
                "else abandon, then prepare.");
  }
  was_there_ = true;
  const auto before = kept_;
  kept_ = (wal_insert_position(publisher_.control(), deadline) - state.restart).count;
  if (most_bytes_ == 0 || kept_ <= most_bytes_ || kept_ < before) return;  // less than before: it is being read
  drop_slot(publisher_.control(), stream_, deadline, SlotReader::is_ended);
  throw Error("slot.wal-limit",
              publisher_.color() + ": " + mebibytes_of(kept_) + " of WAL were kept for replication slot " + stream_.name +
                  ", replication.max_slot_wal is " + mebibytes_of(most_bytes_) + "; the slot was dropped",
              "Raise replication.max_slot_wal or wait for a quieter time, then run abandon and prepare again.");
}

}  // namespace verdigris
