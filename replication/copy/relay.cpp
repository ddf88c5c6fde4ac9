#include "replication/copy/relay.hpp"

#include <poll.h>
#include <sys/socket.h>

#include <algorithm>
#include <string>

#include "replication/copy/copy_output.hpp"
#include "replication/lock_retry.hpp"

namespace verdigris {
namespace {

constexpr std::size_t kMessageBytes = 64 << 10;    // a message is sent from this size on
constexpr std::size_t kBufferBytes = 1 << 20;      // reading stops at this size
constexpr int kSocketBytes = 4 << 20;              // that the target's socket may hold
constexpr std::chrono::milliseconds kLookUp{100};  // how late a request to stop or a deadline may be noticed

// One COPY under way. Not reused.
class Relay {
 public:
  Relay(CopyOutput& source, Connection& target, const std::stop_token& stop, std::atomic<std::int64_t>& sent,
        CopyThrottle* throttle, Deadline deadline)
      : source_(source), target_(target), stop_(stop), sent_(sent), throttle_(throttle), deadline_(deadline) {
    buffer_.reserve(kBufferBytes + kMessageBytes);
  }

  void run() {
    while (!is_source_done_ || !buffer_.empty() || !is_flushed_) {
      fill();
      drain();
      if (!is_source_done_ || !is_flushed_) wait();
    }
  }

  // Says the end, or a failure if `error` is given, and waits until the socket has taken it.
  void end_target(const char* error) {
    int accepted = 0;
    while ((accepted = PQputCopyEnd(target_.native(), error)) == 0) wait_target();
    if (accepted < 0) throw ConnectionLost(target_.server(), PQerrorMessage(target_.native()));
    while (flush() == 1) wait_target();
  }

 private:
  // Takes what is at hand, up to the buffer's size.
  void fill() {
    if (is_source_done_ || buffer_.size() >= kBufferBytes) return;
    rest_ = throttle_ != nullptr ? throttle_->wait() : std::chrono::milliseconds{0};
    if (rest_.count() > 0) return;
    const auto before = buffer_.size();
    const auto state = source_.take(buffer_, kBufferBytes);
    if (throttle_ != nullptr) throttle_->took(static_cast<std::int64_t>(buffer_.size() - before));
    is_source_dry_ = state == CopyOutput::State::dry;
    is_source_done_ = state == CopyOutput::State::ended;
  }

  void drain() {
    look_for_early_answer();
    if (is_flushed_ && !buffer_.empty() && (is_source_done_ || buffer_.size() >= kMessageBytes)) {
      const int accepted = PQputCopyData(target_.native(), buffer_.data(), static_cast<int>(buffer_.size()));
      if (accepted < 0) throw ConnectionLost(target_.server(), PQerrorMessage(target_.native()));
      if (accepted == 1) {
        sent_ += static_cast<std::int64_t>(buffer_.size());
        buffer_.clear();
      }
    }
    is_flushed_ = flush() == 0;
  }

  int flush() {
    const int state = PQflush(target_.native());
    if (state < 0) throw ConnectionLost(target_.server(), PQerrorMessage(target_.native()));
    return state;
  }

  // Waits for what is needed next; if nothing is, it only looks whether the target has failed.
  void wait() {
    const bool is_resting = rest_.count() > 0;
    const bool has_room = !is_source_done_ && buffer_.size() < kBufferBytes && !is_resting;
    const bool can_send = is_flushed_ && (buffer_.size() >= kMessageBytes || is_source_done_);
    const bool can_go_on = (has_room && !is_source_dry_) || can_send;
    pollfd sockets[2] = {{has_room && is_source_dry_ ? source_.socket() : -1, POLLIN, 0},
                         {PQsocket(target_.native()), static_cast<short>(is_flushed_ ? POLLIN : POLLIN | POLLOUT), 0}};
    poll_once(sockets, 2, can_go_on ? std::chrono::milliseconds{0} : is_resting ? std::min(rest_, kLookUp) : kLookUp);
    if (sockets[0].revents != 0) is_source_dry_ = false;
    if ((sockets[1].revents & ~POLLOUT) != 0) throw_early_answer();
  }

  void wait_target() {
    pollfd socket{PQsocket(target_.native()), POLLIN | POLLOUT, 0};
    poll_once(&socket, 1, kLookUp);
    if ((socket.revents & POLLIN) != 0) PQconsumeInput(target_.native());
  }

  void poll_once(pollfd* sockets, nfds_t count, std::chrono::milliseconds longest) {
    if (stop_.stop_requested()) throw Error("copy.stopped", "the copy was stopped");
    if (deadline_.has_passed()) throw DeadlinePassed("the copy did not end in time");
    ::poll(sockets, count, static_cast<int>(std::min(longest, deadline_.remaining()).count()));
  }

  // libpq reads whenever its socket takes no more, and says nothing of an error that it found then: one that arrives in
  // the midst of sending is met at the end of COPY only. So it is looked for right before.
  void look_for_early_answer() {
    pollfd socket{PQsocket(target_.native()), POLLIN, 0};
    if (::poll(&socket, 1, 0) > 0) throw_early_answer();
  }

  // The target speaks during COPY only when it has failed. libpq keeps the message until COPY is ended.
  [[noreturn]] void throw_early_answer() {
    PQconsumeInput(target_.native());
    end_target("the target had failed before");
    target_.receive(deadline_);
    throw Error("copy.unexpected", target_.server() + ": the server ended COPY without a reason");
  }

  CopyOutput& source_;
  Connection& target_;
  const std::stop_token& stop_;
  std::atomic<std::int64_t>& sent_;
  CopyThrottle* throttle_;
  std::chrono::milliseconds rest_{0};  // nothing is read meanwhile
  Deadline deadline_;
  std::string buffer_;
  bool is_source_done_ = false;
  bool is_source_dry_ = false;  // nothing more is at hand
  bool is_flushed_ = true;      // libpq holds nothing that the target's socket has not taken
};

// After a failure of the source: the target must not take what came so far for the whole.
void fail_target(Relay& relay, Connection& target) noexcept {
  try {
    const Deadline soon = Deadline::after(std::chrono::seconds(5));
    relay.end_target("the source failed");
    target.receive(soon);
  } catch (const std::exception&) {
    // Its ServerError is what we asked for; after anything else the session is of no use, and ends.
    if (!target.is_open() || PQtransactionStatus(target.native()) != PQTRANS_INERROR) target.close();
  }
}

// A local target must not run dry while this thread waits for a processor, and a local socket has 200 KB by default;
// 7 % less time of one large table. TCP finds its own size, and would stop to if it were told one.
void enlarge(const Connection& target) {
  const int fd = PQsocket(target.native());
  int family = 0;
  socklen_t length = sizeof family;
  if (::getsockopt(fd, SOL_SOCKET, SO_DOMAIN, &family, &length) != 0 || family != AF_UNIX) return;
  ::setsockopt(fd, SOL_SOCKET, SO_SNDBUF, &kSocketBytes, sizeof kSocketBytes);  // less if the system allows less
}

template <class Act>
void by_source(Act act) {
  try {
    act();
  } catch (const ConnectionLost& error) {
    throw CopySourceLost(error);
  } catch (const ServerError& error) {
    if (error.sqlstate().starts_with("57P")) throw CopySourceLost(error);  // the session was ended: by whom does not matter
    if (is_lock_failure(error)) throw CopySourceLost(error, CopySourceLost::Why::lock);  // behind somebody to whom the copy gives way
    throw;
  }
}

}  // namespace

std::int64_t relay_copy(Connection& source, const Sql& copy_to, Connection& target, const Sql& copy_from,
                        const std::stop_token& stop, std::atomic<std::int64_t>& sent, Deadline deadline,
                        CopyThrottle* throttle) {
  const Result started = target.query(copy_from, deadline);
  if (PQresultStatus(started.native()) != PGRES_COPY_IN)
    throw Error("copy.unexpected", target.server() + ": COPY did not start");
  enlarge(target);
  CopyOutput output(source);
  Relay relay(output, target, stop, sent, throttle, deadline);
  std::int64_t rows = 0;
  try {
    by_source([&] { output.begin(copy_to, deadline); });
    relay.run();
    by_source([&] { rows = output.rows(deadline); });
  } catch (...) {
    if (target.is_open() && PQtransactionStatus(target.native()) == PQTRANS_ACTIVE) fail_target(relay, target);
    throw;
  }
  relay.end_target(nullptr);
  const std::int64_t stored = target.receive(deadline).affected_rows();
  if (rows != stored)
    throw Error("copy.rows",
                "the source sent " + std::to_string(rows) + " rows and the target stored " + std::to_string(stored));
  return rows;
}

}  // namespace verdigris
