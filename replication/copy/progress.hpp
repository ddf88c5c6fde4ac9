// How far a copy has come, and how fast it goes. Plain values; no thread of its own.
#pragma once

#include <chrono>
#include <cstdint>
#include <deque>
#include <optional>
#include <string>
#include <vector>

namespace verdigris {

struct CopyProgress {
  int tables_done = 0, tables = 0;
  std::int64_t rows = 0;                // stored
  std::int64_t sent = 0;                // bytes of rows that left for the target
  std::int64_t bytes_done = 0, bytes = 0;  // of the tables on the source, with TOAST; estimated where one is under way
  double bytes_per_second = 0;          // of bytes_done, over the last half minute
  std::optional<std::chrono::seconds> left = {};  // an estimate; nothing until a rate is known
  int workers = 0;
  std::vector<std::string> under_way = {};  // tables, longest first
};

// "12/40 tables, 88 of 755 MiB (11 %), 34 MiB/s, about 20 s left; public.a, public.b and 2 more"
std::string text_of(const CopyProgress& progress);

// The rate of a figure that grows, over a window of time.
class RateMeter {
 public:
  using Clock = std::chrono::steady_clock;
  explicit RateMeter(std::chrono::seconds window = std::chrono::seconds{30}) : window_(window) {}
  void note(std::int64_t value, Clock::time_point at);
  double per_second() const;  // 0 until two notes lie half a second apart

 private:
  std::chrono::seconds window_;
  std::deque<std::pair<Clock::time_point, std::int64_t>> notes_;
};

// What is left of a whole, at this rate, but not less than the longest part under way takes one stream.
std::optional<std::chrono::seconds> time_left(std::int64_t bytes_left, std::int64_t longest_part_left, int streams,
                                              double bytes_per_second);

}  // namespace verdigris
