#include "replication/copy/progress.hpp"

#include <algorithm>
#include <cmath>

namespace verdigris {
namespace {

constexpr std::size_t kMostNamed = 2;
constexpr double kShortestNoted = 0.5;  // seconds

std::string mebibytes(double bytes) { return std::to_string(static_cast<std::int64_t>(std::llround(bytes / (1 << 20)))); }

std::string duration(std::chrono::seconds time) {
  const auto all = time.count();
  if (all < 120) return std::to_string(all) + " s";
  if (all < 7200) return std::to_string((all + 30) / 60) + " min";
  return std::to_string(all / 3600) + " h " + std::to_string(all % 3600 / 60) + " min";
}

std::string names(const std::vector<std::string>& tables) {
  std::string text;
  for (std::size_t i = 0; i < std::min(tables.size(), kMostNamed); ++i) text += (i == 0 ? "; " : ", ") + tables[i];
  if (tables.size() > kMostNamed) text += " and " + std::to_string(tables.size() - kMostNamed) + " more";
  return text;
}

}  // namespace

std::string text_of(const CopyProgress& p) {
  std::string text = std::to_string(p.tables_done) + "/" + std::to_string(p.tables) + " tables, " +
                     mebibytes(static_cast<double>(p.bytes_done)) + " of " +
                     mebibytes(static_cast<double>(p.bytes)) + " MiB";
  if (p.bytes > 0) text += " (" + std::to_string(std::min<std::int64_t>(p.bytes_done * 100 / p.bytes, 100)) + " %)";
  if (p.bytes_per_second > 0) text += ", " + mebibytes(p.bytes_per_second) + " MiB/s";
  if (p.left) text += ", about " + duration(*p.left) + " left";
  return text + names(p.under_way);
}

void RateMeter::note(std::int64_t value, Clock::time_point at) {
  notes_.emplace_back(at, value);
  while (notes_.size() > 2 && at - notes_[1].first >= window_) notes_.pop_front();
}

double RateMeter::per_second() const {
  if (notes_.size() < 2) return 0;
  const std::chrono::duration<double> time = notes_.back().first - notes_.front().first;
  if (time.count() < kShortestNoted) return 0;
  return static_cast<double>(notes_.back().second - notes_.front().second) / time.count();
}

std::optional<std::chrono::seconds> time_left(std::int64_t bytes_left, std::int64_t longest_part_left, int streams,
                                              double bytes_per_second) {
  if (bytes_per_second <= 0) return std::nullopt;
  const double all = static_cast<double>(bytes_left) / bytes_per_second;
  const double one = static_cast<double>(longest_part_left) * std::max(streams, 1) / bytes_per_second;
  return std::chrono::seconds(std::llround(std::ceil(std::max(all, one))));
}

}  // namespace verdigris
