#include "controller/steps/catch_up.hpp"

#include <algorithm>
#include <thread>

#include "replication/apply_watch.hpp"
#include "replication/marker.hpp"
#include "replication/slot.hpp"
#include "replication/subscription.hpp"

namespace verdigris {
namespace {

constexpr const char* kCatchUpKind = "catch_up";
constexpr Bytes kLittle{16 << 20};                    // left unread: a second of work
constexpr std::chrono::milliseconds kSoon{2000};      // a marker's way
constexpr std::chrono::milliseconds kCatchUpLook{500};  // at the worker and for the report

}  // namespace

std::string CatchUp::describe() const {
  return "wait until " + target_->color() + " has caught up";
}

Readiness CatchUp::check(Deadline deadline) {
  const Result answer =
      source_->control().query(Sql("SELECT max(at)::text, (array_agg(id ORDER BY at DESC))[1] FROM verdigris.marker "
                                   "WHERE kind = $1 AND side = $2"),
                               {kCatchUpKind, source_->color()}, deadline);
  const Row newest = answer.one_row(2);
  if (newest.is_null(0) || !marker_arrived(target_->control(), streams_, newest.integer(1), deadline)) return Ready{};
  const auto states = subscription_briefs(target_->control(), streams_, deadline);
  if (!std::ranges::all_of(states, &SubscriptionBrief::is_enabled) || unread_by(source_->control(), streams_, deadline) > kLittle) return Ready{};
  return Done{};
}

PlannedActs CatchUp::statements(Deadline) {
  return {{source_->color(), marker_statement().text(), {"<id>", kCatchUpKind, source_->color()}}};
}

std::string CatchUp::apply(Deadline deadline) {
  ApplyWatch watch(*target_, streams_);
  watch.require_applying(deadline);
  for (;;) {
    const auto sent = Deadline::Clock::now();
    const auto id = write_marker(source_->control(), source_->color(), kCatchUpKind, deadline);
    auto next_look = Deadline::after(kCatchUpLook);
    while (!marker_arrived(target_->control(), streams_, id, deadline)) {
      if (deadline.has_passed()) throw DeadlinePassed(target_->color() + " has not caught up in time");
      if (next_look.has_passed()) {
        watch.require_applying(deadline);
        if (progress_) progress_(std::to_string(unread_by(source_->control(), streams_, deadline).count >> 20) + " MiB behind");
        next_look = Deadline::after(kCatchUpLook);
      }
      std::this_thread::sleep_for(std::chrono::milliseconds(10));
    }
    const auto took = std::chrono::duration_cast<std::chrono::milliseconds>(Deadline::Clock::now() - sent);
    if (took <= kSoon) return "a marker took " + std::to_string(took.count()) + " ms";
  }
}

}  // namespace verdigris
