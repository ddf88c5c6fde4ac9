// SQL text that is safe by construction: a literal of the source plus typed parts, one for each {} in it. A std::string
// does not compile, and a wrong number of parts does not either. Values travel as parameters (connection.hpp) unless the
// statement is a utility one, which takes none: then as Literal. Quoting assumes client_encoding UTF8, which every
// connection pins.
#pragma once

#include <concepts>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "replication/lsn.hpp"

namespace verdigris {

// One name as the catalog holds it, unquoted, at most 63 bytes. Throws Error("identifier") if it cannot be a name:
// PostgreSQL would cut a longer one silently.
class Identifier {
 public:
  explicit Identifier(std::string raw);
  const std::string& raw() const { return raw_; }
  std::string sql() const;
  auto operator<=>(const Identifier&) const = default;

 private:
  std::string raw_;
};

class QualifiedName {
 public:
  QualifiedName(Identifier schema, Identifier name) : schema_(std::move(schema)), name_(std::move(name)) {}
  QualifiedName(std::string schema, std::string name) : schema_(std::move(schema)), name_(std::move(name)) {}
  const Identifier& schema() const { return schema_; }
  const Identifier& name() const { return name_; }
  std::string sql() const { return schema_.sql() + "." + name_.sql(); }
  // For people: "public.orders", unquoted.
  std::string display() const { return schema_.raw() + "." + name_.raw(); }
  auto operator<=>(const QualifiedName&) const = default;

 private:
  Identifier schema_;
  Identifier name_;
};

class Literal {
 public:
  explicit Literal(std::string raw) : raw_(std::move(raw)) {}
  std::string sql() const;

 private:
  std::string raw_;
};

class Number {
 public:
  explicit Number(std::int64_t value) : value_(value) {}
  std::string sql() const { return std::to_string(value_); }

 private:
  std::int64_t value_;
};

class Sql;

template <class T>
concept SqlPart = std::same_as<T, Identifier> || std::same_as<T, QualifiedName> || std::same_as<T, Literal> ||
                  std::same_as<T, Number> || std::same_as<T, Sql>;

// The template text, checked while compiling: the number of {} equals the number of parts.
template <class... Parts>
class BasicSqlText {
 public:
  template <std::size_t N>
  consteval BasicSqlText(const char (&text)[N]) : text_(text, N - 1) {
    std::size_t holes = 0;
    for (std::size_t i = 0; i + 1 < text_.size(); ++i)
      if (text_[i] == '{' && text_[i + 1] == '}') ++holes;
    if (holes != sizeof...(Parts)) throw "the number of {} differs from the number of parts";
  }
  constexpr std::string_view view() const { return text_; }

 private:
  std::string_view text_;
};

class Sql {
 public:
  template <SqlPart... Parts>
  explicit Sql(BasicSqlText<std::type_identity_t<Parts>...> text, const Parts&... parts) {
    std::string_view rest = text.view();
    (append(rest, parts.sql()), ...);
    text_ += rest;
  }
  // The parts in order with a separator between them; empty text for no parts.
  template <class Part, std::size_t N>
  static Sql joined(const std::vector<Part>& parts, const char (&separator)[N]) {
    Sql result;
    for (const auto& part : parts) {
      if (!result.text_.empty()) result.text_ += separator;
      result.text_ += part.sql();
    }
    return result;
  }
  // The exception, for statements that a person wrote (a migration file, a gate): named so that a search finds each use.
  static Sql written_by_operator(std::string text) {
    Sql result;
    result.text_ = std::move(text);
    return result;
  }
  // A type as format_type() of a server printed it: quoted and qualified where it has to be.
  static Sql type_name(std::string printed) { return written_by_operator(std::move(printed)); }
  const std::string& text() const { return text_; }
  const std::string& sql() const { return text_; }

 private:
  Sql() = default;
  void append(std::string_view& rest, const std::string& part);
  std::string text_;
};

static_assert(!std::is_constructible_v<Sql, std::string>, "SQL text is a literal in the source");

}  // namespace verdigris
