#include "controller/steps/settle_parity.hpp"

#include <thread>

namespace verdigris {
namespace {

using std::chrono::milliseconds;

constexpr milliseconds kFresh{2'000};
constexpr std::size_t kKeysOfAMillisecond = 50;        // by index, both sides at once; slow machines
constexpr std::int64_t kBytesOfAMillisecond = 100'000;  // hashed by one core, warm

}  // namespace

std::string SettleParity::describe() const {
  return "wait until what changed since all rows were compared is few enough for the window";
}

Readiness SettleParity::check(Deadline) { return Ready{}; }

milliseconds SettleParity::expected(const Freshness& now) const {
  return milliseconds(static_cast<std::int64_t>(now.dirty / kKeysOfAMillisecond) + now.whole_bytes / kBytesOfAMillisecond);
}

std::string SettleParity::apply(Deadline deadline) {
  if (!facts_.rolling) return "nothing is followed";
  const auto until = Deadline::after(patience_).or_earlier(deadline);
  for (;;) {
    const auto now = facts_.rolling->look();
    const auto cost = expected(now);
    if (std::chrono::steady_clock::now() - now.seen < kFresh && cost <= settings_.budget) {
      const auto left = facts_.rolling->freeze(deadline);
      return "verified through " + left.through.text() + " of " + source_->color() + ", " + std::to_string(left.dirty) +
             " rows and " + std::to_string(left.whole) + " whole tables are left";
    }
    if (until.has_passed())
      throw Refused("parity.budget",
                    "what changed since all rows were compared would take " + std::to_string(cost.count()) + " ms of the window, " +
                        std::to_string(settings_.budget.count()) + " are allowed: " + std::to_string(now.dirty) + " rows, " +
                        std::to_string(now.whole) + " whole tables (emptied, or without a key)",
                    "Try again when less is written, or allow more: cutover.verify.budget.");
    std::this_thread::sleep_for(milliseconds{50});
  }
}

// Behind a wait or an attempt the following goes on.
void SettleParity::undo(Deadline) {
  if (facts_.rolling) facts_.rolling->resume();
}

}  // namespace verdigris
