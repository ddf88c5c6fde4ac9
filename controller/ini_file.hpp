// pgbouncer.ini as PgBouncer reads it, and the edit of one database's host, port and dbname that keeps every other byte
// (operator.md 8.3). PgBouncer's rules, each seen on 1.18: comments only at the start of a line; only a space separates
// the pairs of an entry; a quote inside a quoted value is doubled, a backslash is an ordinary character; an %include
// continues the section it stands in. A value; any thread. Everything refused leaves the bytes alone.
#pragma once

#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "controller/traffic.hpp"

namespace verdigris {

// The first line of an included file that verdigris made, and may edit.
inline constexpr std::string_view kManagedHeader = "; managed by verdigris";

// The text of an included file by the name that the directive gives, or nothing if it cannot be read.
using IncludeReader = std::function<std::optional<std::string>(const std::string& name)>;

// One "key = value" of the file, in reading order.
struct IniEntry {
  std::string section;
  std::string key;
  std::string value;  // without the white space around it
  std::string file;   // the main file or the included one
  bool is_included = false;
  int line = 0;
  std::size_t key_offset = 0;    // of the first byte of the entry in its file
  std::size_t value_offset = 0;  // of the first byte of value in its file
};

class IniFile {
 public:
  // managed: the name, as %include gives it, of the one included file that may be edited too; its first line must be
  // kManagedHeader. Throws Refused "pooler.ini-syntax" or "pooler.include-unreadable" where PgBouncer would stop reading.
  static IniFile parse(std::string name, std::string bytes, const IncludeReader& read_include, std::string managed = {});

  // The entry of [databases] that decides. Throws Refused for an alias that cannot be edited: "pooler.alias-absent",
  // "-wildcard", "-twice", "-included", "pooler.include-foreign".
  const IniEntry& definition(const std::string& alias) const;
  // Whether that is in the managed file.
  bool is_adopted(const std::string& alias) const { return definition(alias).is_included; }
  // Where the file sends the alias; PgBouncer's defaults (port 5432, dbname as the alias) filled in, host empty if
  // absent. Throws Refused as with_target() does for an alias that cannot be edited.
  Endpoint target(const std::string& alias) const;
  // The bytes of the file that defines the alias, with the alias sent elsewhere. Throws Refused as definition() does, and
  // "pooler.ini-comment", "pooler.ini-syntax", "pooler.host-list", "pooler.target-value".
  std::string with_target(const std::string& alias, const Endpoint& target) const;
  // A value of [pgbouncer]; the last one wins.
  std::optional<std::string> setting(const std::string& key) const;

  const std::vector<IniEntry>& entries() const { return entries_; }
  const std::string& name() const { return name_; }
  const std::string& bytes() const { return bytes_; }
  // Of the managed file; nothing if none is included.
  const std::optional<std::string>& managed_bytes() const { return managed_bytes_; }

 private:
  std::string name_;
  std::string bytes_;
  std::string managed_;
  std::optional<std::string> managed_bytes_;
  std::vector<IniEntry> entries_;
};

}  // namespace verdigris
