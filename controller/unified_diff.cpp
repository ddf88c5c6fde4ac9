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

bool is_space(char c) { return c == ' ' || c == '\t'; }

std::size_t find_word(std::string_view text, std::string_view word, std::size_t from) {
  const auto found = std::search(text.begin() + static_cast<std::ptrdiff_t>(from), text.end(), word.begin(), word.end(),
                                 [](char a, char b) { return std::tolower(static_cast<unsigned char>(a)) == b; });
  return found == text.end() ? std::string_view::npos : static_cast<std::size_t>(found - text.begin());
}

// Behind the value that begins there: quoted, with a quote doubled inside, or up to the next blank.
std::size_t end_of_value(std::string_view text, std::size_t at) {
  if (at >= text.size() || text[at] != '\'') {
    while (at < text.size() && !is_space(text[at])) ++at;
    return at;
  }
  for (++at; at < text.size(); ++at) {
    if (text[at] != '\'') continue;
    if (at + 1 >= text.size() || text[at + 1] != '\'') return at + 1;
    ++at;
  }
  return at;
}

std::string hunk(std::size_t at, const Lines& old_lines, const Lines& new_lines) {
  const auto count = [](const Lines& lines) { return lines.size() == 1 ? std::string() : fmt::format(",{}", lines.size()); };
  std::string text = fmt::format("@@ -{}{} +{}{} @@\n", at + 1, count(old_lines), at + 1, count(new_lines));
  for (const auto line : old_lines) text += "-" + without_passwords(line) + "\n";
  for (const auto line : new_lines) text += "+" + without_passwords(line) + "\n";
  return text;
}

}  // namespace

std::string without_passwords(std::string_view line) {
  constexpr std::string_view kKey = "password";
  std::string out;
  std::size_t done = 0;
  for (std::size_t at = find_word(line, kKey, 0); at != std::string_view::npos; at = find_word(line, kKey, std::max(at, done))) {
    at += kKey.size();
    while (at < line.size() && is_space(line[at])) ++at;
    if (at >= line.size() || line[at] != '=') continue;
    ++at;
    while (at < line.size() && is_space(line[at])) ++at;
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
  if (old_lines.size() != new_lines.size()) return text + hunk(0, old_lines, new_lines);
  for (std::size_t i = 0; i < old_lines.size(); ++i)
    if (old_lines[i] != new_lines[i]) text += hunk(i, {old_lines[i]}, {new_lines[i]});
  return text;
}

}  // namespace verdigris
