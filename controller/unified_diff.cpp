#include "controller/unified_diff.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cctype>
#include <vector>

namespace verdigris {
namespace {

using Lines = std::vector<std::string_view>;

Lines lines_of(std::string_view text) {
  Lines lines;
  while (!text.empty()) {
    const auto end = text.find('\n');
    std::string_view line = text.substr(0, end);
    text.remove_prefix(end == std::string_view::npos ? text.size() : end + 1);
    if (line.ends_with('\r')) line.remove_suffix(1);
    lines.push_back(line);
  }
  return lines;
}

bool is_space_in_line(char c) { return c == ' ' || c == '\t'; }

std::size_t find_word(std::string_view text, std::string_view word, std::size_t from) {
  const auto found = std::search(text.begin() + static_cast<std::ptrdiff_t>(from), text.end(), word.begin(), word.end(),
                                 [](char a, char b) { return std::tolower(static_cast<unsigned char>(a)) == b; });
  return found == text.end() ? std::string_view::npos : static_cast<std::size_t>(found - text.begin());
}

// Behind the value that begins there: quoted, with a quote doubled inside, or up to the next blank.
std::size_t end_of_value(std::string_view text, std::size_t at) {
  if (at >= text.size() || text[at] != '\'') {
    while (at < text.size() && !is_space_in_line(text[at])) ++at;
    return at;
  }
  for (++at; at < text.size(); ++at) {
    if (text[at] != '\'') continue;
    if (at + 1 >= text.size() || text[at + 1] != '\'') return at + 1;
    ++at;
  }
  return at;
}

// Where a hunk begins, as diff -U0 counts: of nothing, the line before.
std::string range(std::size_t at, std::size_t count) {
  if (count == 1) return std::to_string(at + 1);
  return fmt::format("{},{}", count == 0 ? at : at + 1, count);
}

constexpr std::size_t kMostPassed = 2'000;  // beyond, the rest is shown whole

struct Hunk {
  std::size_t old_at, old_count, new_at, new_count;
};

std::string text_of(const Hunk& hunk, const Lines& old_lines, const Lines& new_lines) {
  std::string text = fmt::format("@@ -{} +{} @@\n", range(hunk.old_at, hunk.old_count), range(hunk.new_at, hunk.new_count));
  for (std::size_t i = 0; i < hunk.old_count; ++i) text += "-" + without_passwords(old_lines[hunk.old_at + i]) + "\n";
  for (std::size_t i = 0; i < hunk.new_count; ++i) text += "+" + without_passwords(new_lines[hunk.new_at + i]) + "\n";
  return text;
}

// After a difference the texts meet again where the fewest lines of both are passed over: enough for a few edits.
Hunk next_hunk(const Lines& old_lines, std::size_t old_at, const Lines& new_lines, std::size_t new_at) {
  const std::size_t old_left = old_lines.size() - old_at, new_left = new_lines.size() - new_at;
  for (std::size_t passed = 1; passed < std::min(old_left + new_left, kMostPassed); ++passed)
    for (std::size_t old_count = passed > new_left ? passed - new_left : 0; old_count <= std::min(passed, old_left); ++old_count) {
      const std::size_t new_count = passed - old_count;
      if (old_count < old_left && new_count < new_left && old_lines[old_at + old_count] == new_lines[new_at + new_count])
        return {old_at, old_count, new_at, new_count};
    }
  return {old_at, old_left, new_at, new_left};
}

}  // namespace

std::string without_passwords(std::string_view line) {
  constexpr std::string_view kKey = "password";
  std::string out;
  std::size_t done = 0;
  for (std::size_t at = find_word(line, kKey, 0); at != std::string_view::npos; at = find_word(line, kKey, std::max(at, done))) {
    at += kKey.size();
    while (at < line.size() && is_space_in_line(line[at])) ++at;
    if (at >= line.size() || line[at] != '=') continue;
    ++at;
    while (at < line.size() && is_space_in_line(line[at])) ++at;
    out += std::string(line.substr(done, at - done)) + "***";
    done = end_of_value(line, at);
  }
  return out + std::string(line.substr(done));
}

std::string unified_diff(const std::string& name, std::string_view before, std::string_view after) {
  if (before == after) return {};
  const Lines old_lines = lines_of(before);
  const Lines new_lines = lines_of(after);
  std::string text = "--- " + name + "\n+++ " + name + "\n";
  std::size_t old_at = 0, new_at = 0;
  while (old_at < old_lines.size() || new_at < new_lines.size()) {
    if (old_at < old_lines.size() && new_at < new_lines.size() && old_lines[old_at] == new_lines[new_at]) {
      ++old_at, ++new_at;
      continue;
    }
    const Hunk hunk = next_hunk(old_lines, old_at, new_lines, new_at);
    text += text_of(hunk, old_lines, new_lines);
    old_at += hunk.old_count;
    new_at += hunk.new_count;
  }
  return text;
}

}  // namespace verdigris
