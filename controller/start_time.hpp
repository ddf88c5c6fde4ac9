// The time of --at: RFC 3339 with an offset, or HH:MM[:SS] as the clocks of this machine show it next. Throws Error
// (usage): "value" for what is no time or not one time, "past", "range" for more than a week ahead.
#pragma once

#include <chrono>
#include <string>
#include <string_view>

namespace verdigris {

using WallTime = std::chrono::system_clock::time_point;

WallTime parse_start_time(std::string_view text, WallTime now);
// "Tue 2026-12-01 02:00:00 +0100", local.
std::string local_time_text(WallTime at);
// "2026-12-01T01:00:00Z"
std::string utc_time_text(WallTime at);
// "Tue 2026-12-01 02:00:00 +0100 (tomorrow), in 3 h 20 min"
std::string start_time_text(WallTime at, WallTime now);

}  // namespace verdigris
