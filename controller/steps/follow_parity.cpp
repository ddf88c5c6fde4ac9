#include "controller/steps/follow_parity.hpp"

#include "controller/config_values.hpp"

namespace verdigris {
namespace {

constexpr std::int64_t kFewBytes = 8 << 20;  // some 50 ms of hashing on one core; a disk is not asked

std::int64_t bytes_of(const Agreement& agreement) {
  std::int64_t bytes = 0;
  for (const auto& table : agreement.tables) bytes += std::max(table.source_bytes, table.target_bytes);
  return bytes;
}

}  // namespace

bool are_rows_followed(const VerifySettings& settings, const Agreement& agreement) {
  if (settings.in_pause != InPause::automatic) return settings.in_pause == InPause::changed;
  return bytes_of(agreement) > kFewBytes;
}

std::string FollowParity::describe() const {
  if (settings_.in_pause == InPause::full) return "nothing: all rows are compared in the window";
  return std::string("compare all rows") + (settings_.in_pause == InPause::automatic ? ", if they are many," : "") +
         " and follow those that change on " + source_->color() + " and " + target_->color();
}

Readiness FollowParity::check(Deadline) { return Ready{}; }

// Behind a wait it goes on; what it ended with meanwhile is told.
bool FollowParity::is_following() {
  if (!facts_.rolling) return false;
  facts_.rolling->look();
  facts_.rolling->resume();
  return true;
}

std::string FollowParity::apply(Deadline deadline) {
  if (is_following()) return "goes on";
  const auto& agreement = facts_.sessions->agreement();
  if (!are_rows_followed(settings_, agreement))
    return "all rows are compared in the window: " + size_text(bytes_of(agreement));
  facts_.rolling = std::make_unique<RollingParity>(*source_, *target_, there_, back_, *facts_.sessions, deadline);
  try {
    facts_.rolling->begin(there_, progress_, deadline);
  } catch (...) {
    facts_.rolling.reset();
    throw;
  }
  return std::to_string(agreement.tables.size()) + " tables equal, " + size_text(bytes_of(agreement)) + "; changes are followed";
}

void FollowParity::undo(Deadline) { facts_.rolling.reset(); }

}  // namespace verdigris
