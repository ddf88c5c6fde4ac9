// Text of others made safe to print: control characters, ANSI sequences, bidirectional overrides and bytes that are not
// UTF-8 become visible escapes, so that a table name cannot repaint a terminal or hide a word.
#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>

namespace verdigris {

struct Character {
  char32_t code = 0;
  std::size_t bytes = 0;
};

// The UTF-8 character at `offset`; nothing if the bytes there are not valid (overlong forms and surrogates included).
std::optional<Character> utf8_at(std::string_view text, std::size_t offset);

// C0 and C1 controls, DEL, bidirectional controls, line and paragraph separators, the byte order mark.
bool is_hidden_control(char32_t code);

// Keeps line feeds; a tab becomes a blank.
std::string printable(std::string_view text);

// Printable, and at most so many bytes of it: cut between two characters, with "..." then.
std::string excerpt(std::string_view text, std::size_t most_bytes);

}  // namespace verdigris
