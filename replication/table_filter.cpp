#include "replication/table_filter.hpp"

#include <algorithm>

namespace verdigris {

bool matches_pattern(std::string_view pattern, std::string_view text) {
  if (pattern.empty()) return text.empty();
  if (pattern.front() == '*')
    return matches_pattern(pattern.substr(1), text) || (!text.empty() && matches_pattern(pattern, text.substr(1)));
  if (text.empty() || (pattern.front() != '?' && pattern.front() != text.front())) return false;
  return matches_pattern(pattern.substr(1), text.substr(1));
}

bool TableFilter::selects(const QualifiedName& table) const {
  const std::string name = table.display();
  const auto is_match = [&](const std::string& pattern) { return matches_pattern(pattern, name); };
  return std::any_of(include.begin(), include.end(), is_match) &&
         std::none_of(exclude.begin(), exclude.end(), is_match);
}

bool TableFilter::selects(const Table& table) const {
  return !table.is_unlogged && !table.is_extension_owned && selects(table.root.value_or(table.name));
}

}  // namespace verdigris
