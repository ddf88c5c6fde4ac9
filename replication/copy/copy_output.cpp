#include "replication/copy/copy_output.hpp"

#include <sys/socket.h>

#include <algorithm>
#include <cerrno>
#include <cstring>

namespace verdigris {
namespace {

constexpr std::size_t kReadBytes = 128 << 10;  // read from the socket at once

bool is_plain(PGconn* connection) { return PQsslInUse(connection) == 0 && PQgssEncInUse(connection) == 0; }

// CopyOutResponse, CopyData, CopyDone; a notice or a changed setting may come at any time. Anything else (ErrorResponse,
// CommandComplete) is libpq's.
bool is_of_the_copy(char type) { return std::strchr("HdcNS", type) != nullptr && type != '\0'; }

std::size_t length_of(const std::array<char, 5>& head) {
  std::uint32_t length = 0;
  for (std::size_t i = 1; i < head.size(); ++i) length = (length << 8) | static_cast<unsigned char>(head[i]);
  return length;
}

}  // namespace

CopyOutput::~CopyOutput() {
  if (!is_over_) source_.close();
}

void CopyOutput::begin(const Sql& copy_to, Deadline deadline) {
  is_plain_ = is_plain(source_.native());
  if (is_plain_) {
    peeked_.resize(kReadBytes);
    source_.send(copy_to, deadline);
    return;
  }
  const Result started = source_.query(copy_to, deadline);
  if (PQresultStatus(started.native()) != PGRES_COPY_OUT)
    throw Error("copy.unexpected", source_.server() + ": COPY did not start");
}

CopyOutput::State CopyOutput::take(std::string& into, std::size_t limit) {
  if (has_ended_) return State::ended;
  const State state = is_plain_ ? take_plain(into, limit) : take_by_libpq(into, limit);
  has_ended_ = state == State::ended;
  return state;
}

// libpq gets the answer behind the rows from the socket as if nothing had been read: a message that is not of the copy
// is only looked at, never taken.
CopyOutput::State CopyOutput::take_plain(std::string& into, std::size_t limit) {
  while (into.size() < limit) {
    const ssize_t count = ::recv(socket(), peeked_.data(), peeked_.size(), MSG_PEEK | MSG_DONTWAIT);
    if (count < 0 && errno == EINTR) continue;
    if (count < 0 && (errno == EAGAIN || errno == EWOULDBLOCK)) return State::dry;
    if (count <= 0) return State::ended;  // libpq will meet the same, and say it
    const std::size_t taken = walk(peeked_.data(), static_cast<std::size_t>(count), into);
    discard(taken);
    if (taken < static_cast<std::size_t>(count)) return State::ended;
  }
  return State::filled;
}

// Returns how many bytes are of the copy.
std::size_t CopyOutput::walk(const char* bytes, std::size_t count, std::string& into) {
  std::size_t at = 0;
  while (at < count) {
    if (left_ > 0) {
      const std::size_t part = std::min(left_, count - at);
      if (is_data_) into.append(bytes + at, part);
      left_ -= part;
      at += part;
      continue;
    }
    if (head_bytes_ == 0 && !is_of_the_copy(bytes[at])) return at;
    const std::size_t part = std::min(head_.size() - head_bytes_, count - at);
    std::memcpy(head_.data() + head_bytes_, bytes + at, part);
    head_bytes_ += part;
    at += part;
    if (head_bytes_ < head_.size()) return at;
    head_bytes_ = 0;
    is_data_ = head_[0] == 'd';
    const std::size_t length = length_of(head_);
    if (length < 4) throw ConnectionLost(source_.server(), "a message of an impossible length");
    left_ = length - 4;
  }
  return at;
}

void CopyOutput::discard(std::size_t count) {
  while (count > 0) {
    const ssize_t taken = ::recv(socket(), peeked_.data(), std::min(count, peeked_.size()), MSG_DONTWAIT);
    if (taken < 0 && errno == EINTR) continue;
    if (taken <= 0) throw ConnectionLost(source_.server(), "the socket lost bytes that it had shown");
    count -= static_cast<std::size_t>(taken);
  }
}

CopyOutput::State CopyOutput::take_by_libpq(std::string& into, std::size_t limit) {
  bool has_read = false;
  while (into.size() < limit) {
    char* row = nullptr;
    const int length = PQgetCopyData(source_.native(), &row, 1);
    if (length < 0) return State::ended;  // rows() tells what the server said
    if (length > 0) {
      into.append(row, static_cast<std::size_t>(length));
      PQfreemem(row);
      continue;
    }
    if (has_read) return State::dry;
    has_read = true;
    if (PQconsumeInput(source_.native()) == 0) return State::ended;
  }
  return State::filled;
}

std::int64_t CopyOutput::rows(Deadline deadline) {
  const auto rows = source_.receive(deadline).affected_rows();
  is_over_ = true;
  return rows;
}

}  // namespace verdigris
