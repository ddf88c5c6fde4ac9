// Positions in the write-ahead log. An Lsn is a position and Bytes a distance; neither is an integer, so that the two
// are not mixed up and a position of one server is at least visibly a position. Text form as PostgreSQL's pg_lsn.
#pragma once

#include <compare>
#include <cstdint>
#include <string>
#include <string_view>

namespace verdigris {

struct Bytes {
  std::int64_t count = 0;
  auto operator<=>(const Bytes&) const = default;
};

class Lsn {
 public:
  constexpr Lsn() = default;
  constexpr explicit Lsn(std::uint64_t value) : value_(value) {}
  // "16/B374D848"; throws Error("lsn-syntax") on anything else.
  static Lsn parse(std::string_view text);

  constexpr std::uint64_t value() const { return value_; }
  std::string text() const;
  auto operator<=>(const Lsn&) const = default;

 private:
  std::uint64_t value_ = 0;
};

constexpr Bytes operator-(Lsn a, Lsn b) { return {static_cast<std::int64_t>(a.value() - b.value())}; }

}  // namespace verdigris
