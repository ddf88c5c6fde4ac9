#include "controller/start_time.hpp"

#include <fmt/format.h>

#include <array>
#include <ctime>
#include <optional>
#include <tuple>

#include "controller/config_values.hpp"
#include "replication/errors.hpp"

namespace verdigris {
namespace {

using std::chrono::hours;
using std::chrono::minutes;
using std::chrono::seconds;

constexpr hours kFarthestAhead{24 * 7};  // as long as any wait of ours may take; a wrong month is found by it

[[noreturn]] void refuse(std::string_view text) {
  throw misuse("value", fmt::format("\"{}\" is not a time", text),
               "Write HH:MM or HH:MM:SS for the next such moment here, or 2026-12-01T02:00:00+01:00 with its offset.");
}

bool is_decimal_digit(char c) { return c >= '0' && c <= '9'; }

// Two digits at the front, taken off; nothing if there is something else or they say more than `most`.
std::optional<int> take_two(std::string_view& text, int most) {
  if (text.size() < 2 || !is_decimal_digit(text[0]) || !is_decimal_digit(text[1])) return std::nullopt;
  const int number = (text[0] - '0') * 10 + (text[1] - '0');
  if (number > most) return std::nullopt;
  text.remove_prefix(2);
  return number;
}

bool take(std::string_view& text, std::string_view one_of) {
  if (text.empty() || one_of.find(text.front()) == std::string_view::npos) return false;
  text.remove_prefix(1);
  return true;
}

struct ClockTime {
  int hour = 0, minute = 0, second = 0;
};

// HH:MM, or HH:MM:SS, off the front.
std::optional<ClockTime> take_clock_time(std::string_view& text) {
  const auto hour = take_two(text, 23);
  if (!hour || !take(text, ":")) return std::nullopt;
  const auto minute = take_two(text, 59);
  if (!minute) return std::nullopt;
  if (!take(text, ":")) return ClockTime{*hour, *minute, 0};
  const auto second = take_two(text, 59);
  if (!second) return std::nullopt;
  return ClockTime{*hour, *minute, *second};
}

// "Z", "+01:00", "-00:30", all of what is left.
std::optional<minutes> whole_offset(std::string_view text) {
  if (text == "Z" || text == "z") return minutes{0};
  const bool is_west = text.starts_with('-');
  if (!take(text, "+-")) return std::nullopt;
  const auto hour = take_two(text, 23);
  if (!hour || !take(text, ":")) return std::nullopt;
  const auto minute = take_two(text, 59);
  if (!minute || !text.empty()) return std::nullopt;
  const minutes offset = hours(*hour) + minutes(*minute);
  return is_west ? -offset : offset;
}

// A fraction of a second is read and left out: nothing here begins that sharply.
void drop_fraction(std::string_view& text) {
  if (text.size() < 2 || text[0] != '.' || !is_decimal_digit(text[1])) return;
  text.remove_prefix(1);
  while (!text.empty() && is_decimal_digit(text.front())) text.remove_prefix(1);
}

std::chrono::sys_days day_of(std::string_view text) {
  try {
    return parse_date(text);
  } catch (const Error& error) {
    throw misuse(error.id(), error.what(), "Write a day that exists, as in 2026-12-01T02:00:00+01:00.");
  }
}

WallTime parse_rfc3339(std::string_view text) {
  const std::string_view all = text;
  const auto day = day_of(text.substr(0, 10));
  text.remove_prefix(10);
  if (!take(text, "Tt ")) refuse(all);
  const bool has_seconds = text.size() >= 6 && text[5] == ':';
  const auto clock = take_clock_time(text);
  if (!clock || !has_seconds) refuse(all);
  drop_fraction(text);
  const auto offset = whole_offset(text);
  if (!offset)
    throw misuse("value", fmt::format("\"{}\" has no offset", all), "Append Z, or an offset such as +01:00.");
  return day + hours(clock->hour) + minutes(clock->minute) + seconds(clock->second) - *offset;
}

std::tm local(WallTime at) {
  const std::time_t seconds_of = std::chrono::system_clock::to_time_t(at);
  std::tm parts{};
  tzset();
  localtime_r(&seconds_of, &parts);
  return parts;
}

// Of a day that many days from the one of `now`. is_summer as in tm_isdst; nothing if no clock shows that then.
std::optional<WallTime> on_day(const ClockTime& clock, WallTime now, int days, int is_summer) {
  std::tm parts = local(now);
  parts.tm_mday += days;
  parts.tm_hour = clock.hour;
  parts.tm_min = clock.minute;
  parts.tm_sec = clock.second;
  parts.tm_isdst = is_summer;
  const WallTime at = std::chrono::system_clock::from_time_t(std::mktime(&parts));
  const std::tm shown = local(at);
  if (shown.tm_hour != clock.hour || shown.tm_min != clock.minute) return std::nullopt;
  return at;
}

bool is_later(const ClockTime& clock, const std::tm& than) {
  return std::tie(clock.hour, clock.minute, clock.second) > std::tie(than.tm_hour, than.tm_min, than.tm_sec);
}

WallTime next_occurrence(std::string_view text, const ClockTime& clock, WallTime now) {
  for (const int days : {0, 1}) {
    const auto winter = on_day(clock, now, days, 0);
    const auto summer = on_day(clock, now, days, 1);
    const auto at = winter ? winter : summer;
    const std::string hint = "Write the day and the offset, too, as in 2026-12-01T02:00:00+01:00.";
    if (!at && (days == 1 || is_later(clock, local(now))))
      throw misuse("value", fmt::format("\"{}\" does not exist that day: the clocks go forward", text), hint);
    if (!at || *at <= now) continue;
    if (winter && summer && *winter != *summer)
      throw misuse("value", fmt::format("\"{}\" comes twice that day: the clocks go back", text), hint);
    return *at;
  }
  refuse(text);
}

std::string formatted(const char* format, const std::tm& parts) {
  std::array<char, 64> text{};
  return {text.data(), std::strftime(text.data(), text.size(), format, &parts)};
}

std::string day_beside(WallTime at, WallTime now) {
  const std::string day = formatted("%Y-%m-%d", local(at));
  if (day == formatted("%Y-%m-%d", local(now))) return " (today)";
  std::tm tomorrow = local(now);
  tomorrow.tm_mday += 1;
  tomorrow.tm_hour = 12;
  std::mktime(&tomorrow);
  return day == formatted("%Y-%m-%d", tomorrow) ? " (tomorrow)" : "";
}

std::string rough_text(seconds span) {
  if (span < minutes(2)) return fmt::format("{} s", span.count());
  const auto whole = std::chrono::duration_cast<minutes>(span).count();
  return whole < 60 ? fmt::format("{} min", whole) : fmt::format("{} h {} min", whole / 60, whole % 60);
}

}  // namespace

WallTime parse_start_time(std::string_view text, WallTime now) {
  if (text.size() > 10 && text[4] == '-') {
    const WallTime at = parse_rfc3339(text);
    if (at <= now)
      throw misuse("past", fmt::format("\"{}\" is past: it is {} now", text, local_time_text(now)),
                   "Name a time to come, or leave --at out to begin at once.");
    if (at - now > kFarthestAhead)
      throw misuse("range", fmt::format("\"{}\" is more than {} days ahead", text, kFarthestAhead.count() / 24),
                   "Start the command nearer to that time; until then green follows by itself.");
    return at;
  }
  std::string_view rest = text;
  const auto clock = take_clock_time(rest);
  if (!clock || !rest.empty()) refuse(text);
  return next_occurrence(text, *clock, now);
}

std::string local_time_text(WallTime at) { return formatted("%a %Y-%m-%d %H:%M:%S %z", local(at)); }

std::string utc_time_text(WallTime at) {
  const std::time_t seconds_of = std::chrono::system_clock::to_time_t(at);
  std::tm parts{};
  gmtime_r(&seconds_of, &parts);
  return formatted("%Y-%m-%dT%H:%M:%SZ", parts);
}

std::string start_time_text(WallTime at, WallTime now) {
  const auto span = std::chrono::duration_cast<seconds>(at - now);
  return local_time_text(at) + day_beside(at, now) + ", in " + rough_text(std::max(span, seconds{0}));
}

}  // namespace verdigris
