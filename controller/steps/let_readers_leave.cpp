#include "controller/steps/let_readers_leave.hpp"

#include <thread>

#include "replication/errors.hpp"

namespace verdigris {
namespace {

constexpr std::chrono::milliseconds kReadersPatience{15'000};
constexpr std::chrono::milliseconds kReadersLogin{5'000};
constexpr std::chrono::milliseconds kQuiet{500};  // nobody asks: readers that are logged in may have nothing to say for hours
constexpr std::chrono::milliseconds kReadersPoll{20};

}  // namespace

std::string LetReadersLeave::describe() const { return "wait until no reader's transaction is open on " + from_ + " any more"; }

Readiness LetReadersLeave::check(Deadline) { return Ready{}; }

// The login is the pooler's: who may not come, or with another password, is turned away only then.
// Where the way leads back, there is nowhere else to lead readers, and what they left is to be closed all the same.
std::string LetReadersLeave::unserved(Deadline deadline) {
  const auto patience = Deadline::after(kReadersLogin).or_earlier(deadline);
  auto quiet = Deadline::after(kQuiet);
  for (;;) {
    const auto service = reads_.service(deadline);
    if (service == Service::waiting) quiet = Deadline::after(kQuiet);
    if ((service == Service::served || quiet.has_passed()) && reads_.has_moved(to_, deadline)) return {};
    if (patience.has_passed()) break;
    std::this_thread::sleep_for(kReadersPoll);
  }
  const std::string what = "readers wait at " + reads_.describe() + ", which gets no server connection to " + to_.host + ":" + to_.port;
  const std::string hint = "See the log of PgBouncer for why that server turns it away: pg_hba.conf, the role's password or its grants.";
  if (!is_way_back_) throw Error("reads.not-served", what, hint);
  return what + "; see the log of PgBouncer";
}

std::string LetReadersLeave::apply(Deadline deadline) {
  auto complaint = unserved(deadline);
  const auto patience = Deadline::after(kReadersPatience).or_earlier(deadline);
  auto left = reads_.left_behind(deadline);
  const bool has_waited = !left.empty();
  while (!left.empty() && !patience.has_passed()) {
    std::this_thread::sleep_for(kReadersPoll);
    left = reads_.left_behind(deadline);
  }
  if (complaint.empty() && has_waited) complaint = unserved(deadline);  // by then those ask again who were in a transaction before
  if (!complaint.empty()) return complaint;
  if (left.empty()) return "no reader is left on " + from_;
  return std::to_string(left.size()) + " still in a transaction on " + from_ + ", and gone with its end: " + left.front();
}

}  // namespace verdigris
