#include "replication/conninfo.hpp"

#include <libpq-fe.h>

#include <memory>

#include "replication/errors.hpp"

namespace verdigris {

// why: what libpq says against it, with pieces of the text.
Conninfo Conninfo::parse_all(std::string_view text, std::string& why) {
  char* message = nullptr;
  const std::unique_ptr<PQconninfoOption, decltype(&PQconninfoFree)> options(
      PQconninfoParse(std::string(text).c_str(), &message), PQconninfoFree);
  if (!options) {
    why = message == nullptr ? "out of memory" : message;
    PQfreemem(message);
    while (!why.empty() && why.back() == '\n') why.pop_back();
    return {};
  }
  Conninfo result;
  for (const auto* option = options.get(); option->keyword != nullptr; ++option)
    if (option->val != nullptr) result.values_[option->keyword] = option->val;
  return result;
}

Conninfo Conninfo::parse(std::string_view text) {
  std::string why;
  auto result = parse_all(text, why);
  if (!why.empty())
    throw Error("conninfo", "connection string: " + why, "Write it as \"host=... dbname=... user=...\".", Failure::usage);
  if (result.has("password") || result.has("sslpassword"))
    throw Error("inline-secret", "a password may not stand in a connection string", "Use service= or a passfile.",
                Failure::usage);
  return result;
}

Conninfo Conninfo::parse_without_secrets(std::string_view text, bool& had_secret) {
  std::string why;
  auto result = parse_all(text, why);
  if (!why.empty()) throw Error("conninfo", "it is no connection string", "Write it as \"host=... dbname=... user=...\".");
  had_secret = false;
  for (const char* key : {"password", "sslpassword"}) had_secret |= result.values_.erase(key) > 0;
  return result;
}

Conninfo Conninfo::with(const std::string& key, const std::string& value) const {
  Conninfo result = *this;
  result.values_[key] = value;
  return result;
}

std::string Conninfo::value(const std::string& key) const {
  const auto found = values_.find(key);
  return found == values_.end() ? std::string{} : found->second;
}

std::string Conninfo::text() const {
  std::string out;
  for (const auto& [key, value] : values_) {
    if (!out.empty()) out += ' ';
    out += key + "='";
    for (const char c : value) {
      if (c == '\'' || c == '\\') out += '\\';
      out += c;
    }
    out += '\'';
  }
  return out;
}

}  // namespace verdigris
