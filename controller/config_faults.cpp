#include "controller/config_faults.hpp"

#include <algorithm>
#include <regex>

#include "controller/printable.hpp"

namespace verdigris {

namespace {

constexpr std::size_t kLongestShownLine = 200;
constexpr std::size_t kMostFaults = 100;

std::vector<std::string_view> split_lines(std::string_view text) {
  std::vector<std::string_view> lines;
  while (!text.empty()) {
    const auto end = std::min(text.find('\n'), text.size());
    std::string_view line = text.substr(0, end);
    if (line.ends_with('\r')) line.remove_suffix(1);
    lines.push_back(line);
    text.remove_prefix(std::min(end + 1, text.size()));
  }
  return lines;
}

int count_characters(std::string_view text) {
  int count = 0;
  for (std::size_t at = 0; at < text.size(); ++count) {
    const auto character = utf8_at(text, at);
    at += character ? character->bytes : 1;
  }
  return count;
}

}  // namespace

bool holds_secret(std::string_view text) {
  static const std::regex kSecret(R"(passw(or)?d\s*=|://[^/@?\s]*:[^@\s]+@)", std::regex::icase | std::regex::optimize);
  if (text.size() > 64 * 1024) return false;  // std::regex recurses; such a text is refused elsewhere
  return std::regex_search(text.begin(), text.end(), kSecret);
}

ConfigFaults::ConfigFaults(std::string file, std::string_view text)
    : file_(std::move(file)), lines_(split_lines(text)) {}

void ConfigFaults::add(Place place, std::string id, std::string text, std::string hint) {
  list_.push_back({place, std::move(id), std::move(text), std::move(hint)});
}

void ConfigFaults::hide_lines(int first, int last) {
  last = std::min(last, static_cast<int>(lines_.size()));
  for (int line = first; line <= last; ++line) hidden_.insert(line);
}

bool ConfigFaults::is_shown(int line) const {
  if (line < 1 || line > static_cast<int>(lines_.size()) || hidden_.contains(line)) return false;
  const std::string_view text = lines_[static_cast<std::size_t>(line - 1)];
  return text.size() <= kLongestShownLine && !holds_secret(text);
}

PlaybookError ConfigFaults::finished(const Fault& fault) const {
  PlaybookError error{file_, fault.place.line, fault.place.column, fault.id, fault.text, fault.hint, "", 1};
  if (fault.place.line < 1 || fault.place.line > static_cast<int>(lines_.size())) return error;
  const std::string_view line = lines_[static_cast<std::size_t>(fault.place.line - 1)];
  const auto start = std::min(line.size(), static_cast<std::size_t>(fault.place.column - 1));
  error.column = count_characters(line.substr(0, start)) + 1;
  error.width = std::max(1, count_characters(line.substr(start, static_cast<std::size_t>(fault.place.width))));
  if (is_shown(fault.place.line)) error.source_line = line;
  return error;
}

void ConfigFaults::throw_if_any() const {
  if (list_.empty()) return;
  std::vector<PlaybookError> errors;
  for (const Fault& fault : list_) {
    if (errors.size() == kMostFaults) break;
    errors.push_back(finished(fault));
  }
  std::stable_sort(errors.begin(), errors.end(), [](const PlaybookError& a, const PlaybookError& b) {
    return std::pair(a.line, a.column) < std::pair(b.line, b.column);
  });
  throw PlaybookErrors(std::move(errors));
}

}  // namespace verdigris
