#include "controller/printable.hpp"

#include <fmt/format.h>

namespace verdigris {

namespace {

std::size_t length_by_lead(unsigned char lead) {
  if (lead < 0x80) return 1;
  if (lead >= 0xC2 && lead <= 0xDF) return 2;
  if (lead >= 0xE0 && lead <= 0xEF) return 3;
  if (lead >= 0xF0 && lead <= 0xF4) return 4;
  return 0;
}

bool is_well_formed(char32_t code, std::size_t bytes) {
  constexpr char32_t kSmallest[] = {0, 0, 0x80, 0x800, 0x10000};
  return code >= kSmallest[bytes] && code <= 0x10FFFF && (code < 0xD800 || code > 0xDFFF);
}

bool is_between(char32_t code, char32_t first, char32_t last) {
  return code >= first && code <= last;
}

}  // namespace

std::optional<Character> utf8_at(std::string_view text, std::size_t offset) {
  const auto lead = static_cast<unsigned char>(text.at(offset));
  const std::size_t bytes = length_by_lead(lead);
  if (bytes == 0 || offset + bytes > text.size()) return std::nullopt;
  if (bytes == 1) return Character{lead, 1};
  auto code = static_cast<char32_t>(lead & (0xFFU >> (bytes + 1)));
  for (std::size_t i = 1; i < bytes; ++i) {
    const auto next = static_cast<unsigned char>(text[offset + i]);
    if ((next & 0xC0U) != 0x80U) return std::nullopt;
    code = (code << 6U) | (next & 0x3FU);
  }
  if (!is_well_formed(code, bytes)) return std::nullopt;
  return Character{code, bytes};
}

bool is_hidden_control(char32_t code) {
  return code < 0x20 || is_between(code, 0x7F, 0x9F) || code == 0x061C || is_between(code, 0x200E, 0x200F) ||
         is_between(code, 0x2028, 0x202E) || is_between(code, 0x2066, 0x2069) || code == 0xFEFF;
}

std::string printable(std::string_view text) {
  std::string out;
  out.reserve(text.size());
  for (std::size_t i = 0; i < text.size();) {
    const auto character = utf8_at(text, i);
    if (!character) {
      out += fmt::format("\\x{:02x}", static_cast<unsigned char>(text[i++]));
      continue;
    }
    if (character->code == '\t') {
      out += ' ';
    } else if (character->code != '\n' && is_hidden_control(character->code)) {
      const auto code = static_cast<unsigned>(character->code);
      out += code < 0x100 ? fmt::format("\\x{:02x}", code) : fmt::format("\\u{:04x}", code);
    } else {
      out += text.substr(i, character->bytes);
    }
    i += character->bytes;
  }
  return out;
}

std::string excerpt(std::string_view text, std::size_t most_bytes) {
  auto all = printable(text);
  if (all.size() <= most_bytes) return all;
  std::size_t end = 0;
  for (std::size_t next = 0; next <= most_bytes; next += utf8_at(all, next)->bytes) end = next;
  return all.substr(0, end) + "...";
}

}  // namespace verdigris
