#include "controller/config_values.hpp"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <charconv>
#include <optional>
#include <span>

#include "controller/suggestion.hpp"
#include "replication/errors.hpp"

namespace verdigris {

namespace {

struct Unit {
  std::string_view name;
  std::int64_t factor;
};

constexpr Unit kDurations[] = {{"ms", 1}, {"s", 1000}, {"m", 60'000}, {"h", 3'600'000}};
constexpr Unit kSizes[] = {{"B", 1}, {"KiB", 1 << 10}, {"MiB", 1 << 20}, {"GiB", 1 << 30}};

bool is_digit(char c) {
  return c >= '0' && c <= '9';
}

// "0" or digits without a leading zero.
bool is_decimal(std::string_view text) {
  return !text.empty() && std::all_of(text.begin(), text.end(), is_digit) && (text.size() == 1 || text[0] != '0');
}

std::optional<std::int64_t> to_integer(std::string_view digits) {
  std::int64_t value = 0;
  const auto [end, fault] = std::from_chars(digits.data(), digits.data() + digits.size(), value);
  if (fault != std::errc{} || end != digits.data() + digits.size()) return std::nullopt;
  return value;
}

bool is_negative_number(std::string_view text) {
  return text.size() > 1 && text[0] == '-' && is_digit(text[1]);
}

std::string names_of(std::span<const Unit> units) {
  std::vector<std::string_view> names;
  for (const Unit& unit : units) names.push_back(unit.name);
  return fmt::format("{}", fmt::join(names, ", "));
}

std::string amount_text(std::int64_t amount, std::span<const Unit> units) {
  const Unit* best = &units.front();
  for (const Unit& unit : units)
    if (amount != 0 && amount % unit.factor == 0) best = &unit;
  return fmt::format("{}{}", amount / best->factor, best->name);
}

struct Quantity {
  std::string_view what;
  std::span<const Unit> units;
};

std::int64_t parse_amount(std::string_view text, const Quantity& quantity, Range<std::int64_t> range) {
  const auto out_of_range = [&] {
    return misuse("range",
                  fmt::format("\"{}\" is out of range ({} to {})", text, amount_text(range.smallest, quantity.units),
                              amount_text(range.largest, quantity.units)));
  };
  if (is_negative_number(text)) throw out_of_range();
  const auto end = static_cast<std::size_t>(std::find_if_not(text.begin(), text.end(), is_digit) - text.begin());
  const std::string_view digits = text.substr(0, end);
  const std::string_view name = text.substr(end);
  if (is_decimal(digits) && name.empty())
    throw misuse("unit", fmt::format("\"{}\" needs a unit ({})", text, names_of(quantity.units)));
  const auto unit =
      std::find_if(quantity.units.begin(), quantity.units.end(), [&](const Unit& u) { return u.name == name; });
  if (!is_decimal(digits) || unit == quantity.units.end())
    throw misuse("unit", fmt::format("\"{}\" is not a {}: a whole decimal number and one unit ({}), nothing between",
                                     text, quantity.what, names_of(quantity.units)));
  const auto count = to_integer(digits);
  if (!count || *count > range.largest / unit->factor || *count * unit->factor < range.smallest) throw out_of_range();
  return *count * unit->factor;
}

}  // namespace

std::int64_t parse_integer(std::string_view text, Range<std::int64_t> range) {
  const bool is_signed = is_negative_number(text);
  if (!is_decimal(is_signed ? text.substr(1) : text))
    throw misuse("number", fmt::format("\"{}\" is not a whole decimal number", text));
  const auto value = to_integer(text);
  if (!value || *value < range.smallest || *value > range.largest)
    throw misuse("range", fmt::format("{} is out of range ({} to {})", text, range.smallest, range.largest));
  return *value;
}

std::chrono::milliseconds parse_duration(std::string_view text, Range<std::chrono::milliseconds> range) {
  return std::chrono::milliseconds(
      parse_amount(text, {"duration", kDurations}, {range.smallest.count(), range.largest.count()}));
}

std::int64_t parse_size(std::string_view text, Range<std::int64_t> range) {
  return parse_amount(text, {"size", kSizes}, range);
}

std::int64_t parse_rate(std::string_view text) {
  return text == "none" ? 0 : parse_size(text, {std::int64_t{64} << 10, std::int64_t{1} << 40});
}

bool parse_boolean(std::string_view text) {
  if (text == "true") return true;
  if (text == "false") return false;
  throw misuse("boolean", fmt::format("\"{}\" is not a boolean (true or false)", text));
}

std::size_t parse_choice(std::string_view text, const std::vector<std::string>& choices) {
  const auto found = std::find(choices.begin(), choices.end(), text);
  if (found != choices.end()) return static_cast<std::size_t>(found - choices.begin());
  throw misuse("value",
               fmt::format("\"{}\" is not one of {}{}", text, fmt::join(choices, ", "), suggestion(text, choices)));
}

std::chrono::sys_days parse_date(std::string_view text) {
  const bool has_form = text.size() == 10 && text[4] == '-' && text[7] == '-' &&
                        std::all_of(text.begin(), text.end(), [](char c) { return is_digit(c) || c == '-'; });
  const auto year = has_form ? to_integer(text.substr(0, 4)) : std::nullopt;
  const auto month = has_form ? to_integer(text.substr(5, 2)) : std::nullopt;
  const auto day = has_form ? to_integer(text.substr(8, 2)) : std::nullopt;
  if (year && month && day) {
    const std::chrono::year_month_day date{std::chrono::year(static_cast<int>(*year)),
                                           std::chrono::month(static_cast<unsigned>(*month)),
                                           std::chrono::day(static_cast<unsigned>(*day))};
    if (date.ok()) return date;
  }
  throw misuse("date", fmt::format("\"{}\" is not a date (YYYY-MM-DD)", text));
}

std::string duration_text(std::chrono::milliseconds duration) {
  return amount_text(duration.count(), kDurations);
}

std::string size_text(std::int64_t bytes) {
  return amount_text(bytes, kSizes);
}

}  // namespace verdigris
