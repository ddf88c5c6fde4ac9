// Scalars of the playbook and the command line: whole decimal numbers, durations and sizes with a unit, dates. Each
// throws Error (usage) whose id is "number", "unit", "range", "boolean", "value" or "date" and whose text quotes what
// was written. No octal, hexadecimal, exponent, sign or separator: what looks like 10 is 10.
#pragma once

#include <chrono>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace verdigris {

template <typename T>
struct Range {
  T smallest, largest;
};

std::int64_t parse_integer(std::string_view text, Range<std::int64_t> range);
// Units ms, s, m, h.
std::chrono::milliseconds parse_duration(std::string_view text, Range<std::chrono::milliseconds> range);
// Units B, KiB, MiB, GiB.
std::int64_t parse_size(std::string_view text, Range<std::int64_t> range);
// A size for each second, at least 64 KiB, or "none", which is 0.
std::int64_t parse_rate(std::string_view text);
bool parse_boolean(std::string_view text);
// Returns the index of the choice.
std::size_t parse_choice(std::string_view text, const std::vector<std::string>& choices);
// YYYY-MM-DD, a day that exists.
std::chrono::sys_days parse_date(std::string_view text);

std::string duration_text(std::chrono::milliseconds duration);
std::string size_text(std::int64_t bytes);

}  // namespace verdigris
