#include "replication/lsn.hpp"

#include <charconv>
#include <cstdio>

#include "replication/errors.hpp"

namespace verdigris {
namespace {

std::uint32_t parse_half(std::string_view half, std::string_view whole) {
  std::uint32_t value = 0;
  const auto [end, error] = std::from_chars(half.data(), half.data() + half.size(), value, 16);
  if (error != std::errc{} || end != half.data() + half.size() || half.empty() || half.size() > 8)
    throw Error("lsn-syntax", "\"" + std::string(whole) + "\" is not a write-ahead log position");
  return value;
}

}  // namespace

Lsn Lsn::parse(std::string_view text) {
  const auto slash = text.find('/');
  if (slash == std::string_view::npos) parse_half("", text);
  const std::uint64_t high = parse_half(text.substr(0, slash), text);
  return Lsn((high << 32U) | parse_half(text.substr(slash + 1), text));
}

std::string Lsn::text() const {
  char buffer[24];
  std::snprintf(buffer, sizeof buffer, "%X/%X", static_cast<unsigned>(value_ >> 32U), static_cast<unsigned>(value_));
  return buffer;
}

}  // namespace verdigris
