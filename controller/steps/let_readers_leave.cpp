#include "controller/steps/let_readers_leave.hpp"

#include <thread>

namespace verdigris {
namespace {

constexpr std::chrono::milliseconds kPatience{15'000};
constexpr std::chrono::milliseconds kPoll{20};

}  // namespace

std::string LetReadersLeave::describe() const { return "wait until no reader's transaction is open on " + from_ + " any more"; }

Readiness LetReadersLeave::check(Deadline) { return Ready{}; }

std::string LetReadersLeave::apply(Deadline deadline) {
  const auto patience = Deadline::after(kPatience).or_earlier(deadline);
  auto left = reads_.left_behind(deadline);
  while (!left.empty() && !patience.has_passed()) {
    std::this_thread::sleep_for(kPoll);
    left = reads_.left_behind(deadline);
  }
  if (left.empty()) return "no reader is left on " + from_;
  return std::to_string(left.size()) + " still in a transaction on " + from_ + ", and gone with its end: " + left.front();
}

}  // namespace verdigris
