#include "controller/gates/lag_probe.hpp"

#include <algorithm>

#include "controller/config_values.hpp"
#include "replication/slot.hpp"

namespace verdigris {
namespace {

constexpr const char* kLagHint = "Look at what holds up the apply worker there; verdigris status shows the lag.";

// "3 KiB", rounded up; for people.
std::string about(std::int64_t bytes) {
  if (bytes < 10'240) return std::to_string(bytes) + " B";
  if (bytes < std::int64_t{10} << 20) return std::to_string((bytes + 1023) >> 10) + " KiB";
  return std::to_string((bytes + (1 << 20) - 1) >> 20) + " MiB";
}

}  // namespace

std::string LagProbe::describe() const {
  return "lag at most " + size_text(gate_.max_bytes) +
         (gate_.stable_for.count() > 0 ? " for " + duration_text(gate_.stable_for) : "");
}

std::optional<GateAnswer> LagProbe::ask(Deadline deadline) {
  const auto slots = slot_states(source_->control(), streams_, deadline);
  const auto gone = std::ranges::find(slots, false, &SlotState::exists);
  const auto bytes = unread_by(source_->control(), streams_, deadline).count;
  const auto now = std::chrono::steady_clock::now();
  if (gone != slots.end() || bytes > gate_.max_bytes) {
    small_since_.reset();
    return GateAnswer{
        gone != slots.end() ? source_->color() + ": the slot " + streams_[static_cast<std::size_t>(gone - slots.begin())].name + " is gone"
                     : target_->color() + " is " + about(bytes) + " behind, more than " + size_text(gate_.max_bytes),
        kLagHint};
  }
  if (!small_since_) small_since_ = now;
  const auto since = std::chrono::duration_cast<std::chrono::milliseconds>(now - *small_since_);
  if (since >= gate_.stable_for) return GateAnswer{};
  return GateAnswer{target_->color() + " is " + about(bytes) + " behind, but at most " + size_text(gate_.max_bytes) +
                        " for only " + std::to_string(since.count() / 1000) + " s of " +
                        duration_text(gate_.stable_for),
                    kLagHint, true};
}

}  // namespace verdigris
