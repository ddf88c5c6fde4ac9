// How to reach a server, as libpq's keywords. Passwords do not live here: they come from a passfile or a service file,
// so that no text of a Conninfo can leak one (faults S9).
#pragma once

#include <map>
#include <string>
#include <string_view>

namespace verdigris {

class Conninfo {
 public:
  // libpq's "key=value" or URI form. Throws Error (usage) "conninfo" for syntax and "inline-secret" for a password.
  static Conninfo parse(std::string_view text);
  // The same of a text that a program printed, which may hold a password: that is left out, and it is said that it was
  // there. The error says nothing of the text.
  static Conninfo parse_without_secrets(std::string_view text, bool& had_secret);

  Conninfo with(const std::string& key, const std::string& value) const;
  std::string value(const std::string& key) const;  // empty if absent
  bool has(const std::string& key) const { return values_.contains(key); }
  // Quoted for libpq and for CREATE SUBSCRIPTION ... CONNECTION.
  std::string text() const;
  const std::map<std::string, std::string>& values() const { return values_; }

 private:
  static Conninfo parse_all(std::string_view text, std::string& why);
  std::map<std::string, std::string> values_;
};

}  // namespace verdigris
