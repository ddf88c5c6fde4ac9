// "Did you mean": the known word nearest to one that was mistyped.
#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace verdigris {

// Inserted, removed, replaced characters and swapped neighbours count one each.
std::size_t edit_distance(std::string_view a, std::string_view b);

// Within distance 2, and less than the length of the word (or "a" would suggest "b"); the first of equals.
std::optional<std::string> nearest(std::string_view word, const std::vector<std::string>& known);

// `; did you mean "max_pause"?`, or nothing.
std::string suggestion(std::string_view word, const std::vector<std::string>& known);

}  // namespace verdigris
