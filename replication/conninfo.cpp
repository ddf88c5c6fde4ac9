#include "replication/conninfo.hpp"

#include <libpq-fe.h>

#include <memory>

#include "replication/errors.hpp"

namespace verdigris {

Conninfo Conninfo::parse(std::string_view text) {
  char* message = nullptr;
  const std::unique_ptr<PQconninfoOption, decltype(&PQconninfoFree)> options(
      PQconninfoParse(std::string(text).c_str(), &message), PQconninfoFree);
  if (!options) {
    std::string why = message == nullptr ? "out of memory" : message;
    PQfreemem(message);
    while (!why.empty() && why.back() == '\n') why.pop_back();
    throw Error("conninfo", "connection string: " + why, "Write it as \"host=... dbname=... user=...\".", Failure::usage);
  }
  Conninfo result;
  for (const auto* option = options.get(); option->keyword != nullptr; ++option)
    if (option->val != nullptr) result.values_[option->keyword] = option->val;
  if (result.has("password") || result.has("sslpassword"))
    throw Error("inline-secret", "a password may not stand in a connection string", "Use service= or a passfile.",
                Failure::usage);
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
