#include "controller/copy_brake.hpp"

#include <algorithm>

namespace verdigris {
namespace {

constexpr std::chrono::milliseconds kLoadLook{1'000};
constexpr std::chrono::milliseconds kLongestProbe{500};   // what else is looked at must not wait for it
constexpr std::chrono::milliseconds kProbeLogin{10'000};

}  // namespace

CopyBrake::CopyBrake(Server& source, const CopyPace& pace) : source_(source), limits_(pace.max_load) {
  throttle_->set_rate(pace.max_bytes_per_second);
}

void CopyBrake::look(Deadline deadline) {
  if (!limits_.has_any() || (next_look_ && !next_look_->has_passed())) return;
  next_look_ = Deadline::after(kLoadLook);
  held_by_ = passed_limit(source_.control(), limits_, deadline);
  if (held_by_.empty() && limits_.commit.count() > 0) held_by_ = slow_commit(deadline);
  throttle_->hold(!held_by_.empty());
}

// A server that has no session left for it has too much to do, too.
std::string CopyBrake::slow_commit(Deadline deadline) {
  try {
    const auto patience = std::min(limits_.commit + std::chrono::milliseconds(1), kLongestProbe);
    const auto took = probe_.measure(source_, patience, Deadline::after(kProbeLogin).or_earlier(deadline));
    if (took <= limits_.commit) return {};
    return "a commit on " + source_.color() + " takes " + std::to_string(took.count()) + " ms, " +
           std::to_string(limits_.commit.count()) + " are allowed";
  } catch (const Error& error) {
    return "what a commit on " + source_.color() + " takes cannot be measured: " + error.what();
  }
}

}  // namespace verdigris
