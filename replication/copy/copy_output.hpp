// What a server sends for one COPY ... TO STDOUT, as a stream of bytes without the rows' boundaries. On a plain socket
// the messages are read here, not by libpq, which allocates and copies each row by itself and holds it whole. Behind TLS or
// GSSAPI libpq reads.
#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <vector>

#include "replication/connection.hpp"

namespace verdigris {

class CopyOutput {
 public:
  enum class State { filled, dry, ended };  // dry: nothing more is at hand; wait until the socket is readable

  // The session is owned by the calling thread. One whose output was not taken to its end, or not well, is closed: what
  // it says later would meet the next statement.
  explicit CopyOutput(Connection& source) : source_(source) {}
  ~CopyOutput();
  CopyOutput(const CopyOutput&) = delete;
  CopyOutput& operator=(const CopyOutput&) = delete;

  void begin(const Sql& copy_to, Deadline deadline);

  // Appends until `into` holds `limit` bytes or a little more. An error of the server, or its loss, is an end.
  State take(std::string& into, std::size_t limit);

  // At the end: how many rows the server says it sent. Throws what it said instead.
  std::int64_t rows(Deadline deadline);

  int socket() const { return PQsocket(source_.native()); }

 private:
  State take_plain(std::string& into, std::size_t limit);
  State take_by_libpq(std::string& into, std::size_t limit);
  std::size_t walk(const char* bytes, std::size_t count, std::string& into);
  void discard(std::size_t count);

  Connection& source_;
  bool is_plain_ = false;
  bool has_ended_ = false;
  bool is_over_ = false;  // rows() has returned
  // Of the message under way, on a plain socket.
  std::array<char, 5> head_{};  // type and length
  std::size_t head_bytes_ = 0;  // so many of them are there
  std::size_t left_ = 0;        // of its body
  bool is_data_ = false;
  std::vector<char> peeked_;
};

}  // namespace verdigris
