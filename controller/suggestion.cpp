#include "controller/suggestion.hpp"

#include <algorithm>

namespace verdigris {

namespace {

constexpr std::size_t kMostEdits = 2;
constexpr std::size_t kLongestWord = 64;  // longer words are not typing mistakes of ours

}  // namespace

std::size_t edit_distance(std::string_view a, std::string_view b) {
  std::vector<std::vector<std::size_t>> cost(a.size() + 1, std::vector<std::size_t>(b.size() + 1));
  for (std::size_t i = 0; i <= a.size(); ++i) cost[i][0] = i;
  for (std::size_t j = 0; j <= b.size(); ++j) cost[0][j] = j;
  for (std::size_t i = 1; i <= a.size(); ++i) {
    for (std::size_t j = 1; j <= b.size(); ++j) {
      const std::size_t replaced = cost[i - 1][j - 1] + (a[i - 1] == b[j - 1] ? 0 : 1);
      cost[i][j] = std::min({cost[i - 1][j] + 1, cost[i][j - 1] + 1, replaced});
      const bool is_swap = i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1];
      if (is_swap) cost[i][j] = std::min(cost[i][j], cost[i - 2][j - 2] + 1);
    }
  }
  return cost[a.size()][b.size()];
}

std::optional<std::string> nearest(std::string_view word, const std::vector<std::string>& known) {
  if (word.size() > kLongestWord) return std::nullopt;
  std::optional<std::string> best;
  std::size_t best_distance = std::min(kMostEdits + 1, word.size());
  for (const std::string& each : known) {
    const std::size_t distance = edit_distance(word, each);
    if (distance >= best_distance) continue;
    best_distance = distance;
    best = each;
  }
  return best;
}

std::string suggestion(std::string_view word, const std::vector<std::string>& known) {
  const auto found = nearest(word, known);
  return found ? "; did you mean \"" + *found + "\"?" : std::string{};
}

}  // namespace verdigris
