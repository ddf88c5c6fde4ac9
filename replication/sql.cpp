#include "replication/sql.hpp"

#include "replication/errors.hpp"

namespace verdigris {
namespace {

constexpr std::size_t kMaxIdentifierBytes = 63;  // NAMEDATALEN - 1

std::string doubled(std::string_view raw, char quote) {
  std::string out;
  out.reserve(raw.size() + 2);
  for (const char c : raw) {
    if (c == quote) out += quote;
    out += c;
  }
  return out;
}

}  // namespace

Identifier::Identifier(std::string raw) : raw_(std::move(raw)) {
  if (raw_.empty() || raw_.size() > kMaxIdentifierBytes || raw_.find('\0') != std::string::npos)
    throw Error("identifier", "\"" + raw_ + "\" cannot be the name of an object: 1 to 63 bytes without NUL are allowed");
}

std::string Identifier::sql() const { return '"' + doubled(raw_, '"') + '"'; }

std::string Literal::sql() const {
  if (raw_.find('\0') != std::string::npos) throw Error("literal", "a value may not contain a NUL byte");
  // The E form makes the meaning of a backslash independent of standard_conforming_strings.
  if (raw_.find('\\') == std::string::npos) return '\'' + doubled(raw_, '\'') + '\'';
  return " E'" + doubled(doubled(raw_, '\''), '\\') + '\'';
}

void Sql::append(std::string_view& rest, const std::string& part) {
  const auto hole = rest.find("{}");
  text_ += rest.substr(0, hole);
  text_ += part;
  rest.remove_prefix(hole + 2);
}

}  // namespace verdigris
