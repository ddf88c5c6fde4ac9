#include "controller/steps/measure_lag.hpp"

#include "replication/apply_watch.hpp"
#include "replication/marker.hpp"
#include "replication/slot.hpp"
#include "replication/subscription.hpp"

namespace verdigris {
namespace {

using std::chrono::milliseconds;

constexpr milliseconds kBound{2'000};
constexpr const char* kReadsKind = "reads";

std::string kib(Bytes bytes) { return std::to_string((bytes.count + 1023) / 1024) + " KiB"; }

}  // namespace

std::string MeasureLag::describe() const {
  return "see that " + target_->color() + " holds what " + source_->color() + " writes within " + std::to_string(kBound.count()) + " ms";
}

Readiness MeasureLag::check(Deadline deadline) {
  const auto states = subscription_briefs(target_->control(), streams_, deadline);
  for (std::size_t i = 0; i < states.size(); ++i) {
    if (states[i].is_enabled && states[i].is_ready) continue;
    return Blocked{target_->color() + ": subscription " + streams_[i].name + " is disabled, or not all of its tables are ready",
                   "Look into that server's log for errors of the apply worker."};
  }
  return Ready{};
}

PlannedActs MeasureLag::statements(Deadline) {
  return {{source_->color(), marker_statement().text(), {"<id>", kReadsKind, source_->color()}}};
}

std::string MeasureLag::apply(Deadline deadline) {
  ApplyWatch watch(*target_, streams_);
  watch.require_applying(deadline);
  const auto begin = Deadline::Clock::now();
  const auto id = write_marker(source_->control(), source_->color(), kReadsKind, deadline);
  if (!watch.wait_for_marker(id, Deadline::after(kBound).or_earlier(deadline), deadline))
    throw Refused("reads.lag",
                  target_->color() + ": what was written on " + source_->color() + " had not arrived after " +
                      std::to_string(kBound.count()) + " ms, " + kib(unread_by(source_->control(), streams_, deadline)) + " of its log are not confirmed",
                  "Wait until verdigris status shows little lag, or look at what holds up the apply worker there.");
  const auto took = std::chrono::ceil<milliseconds>(Deadline::Clock::now() - begin);
  return target_->color() + " is " + std::to_string(took.count()) + " ms behind";
}

}  // namespace verdigris
