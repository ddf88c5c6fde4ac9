#include "controller/copy_brake.hpp"

#include "replication/source_load.hpp"

namespace verdigris {
namespace {

constexpr std::chrono::milliseconds kLoadLook{1'000};

}  // namespace

CopyBrake::CopyBrake(Server& source, const CopyPace& pace) : source_(source), limits_(pace.max_load) {
  throttle_->set_rate(pace.max_bytes_per_second);
}

void CopyBrake::look(Deadline deadline) {
  if (!limits_.has_any() || (next_look_ && !next_look_->has_passed())) return;
  next_look_ = Deadline::after(kLoadLook);
  held_by_ = passed_limit(source_.control(), limits_, deadline);
  throttle_->hold(!held_by_.empty());
}

}  // namespace verdigris
