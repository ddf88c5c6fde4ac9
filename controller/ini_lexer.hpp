// The two lexers below IniFile, each a transcript of PgBouncer's own (libusual cfparser.c, pgbouncer loader.c): what
// they accept and where they stop is what PgBouncer does, not what a reader of the file would expect.
#pragma once

#include <string>
#include <vector>

#include "controller/ini_file.hpp"

namespace verdigris {

// Appends the entries of a file and of those it includes. section is carried from file to file, as PgBouncer carries
// it.
void read_ini(const std::string& name, std::string_view text, const IncludeReader& read_include, int level,
              std::string& section, std::vector<IniEntry>& entries);

// One pair of a database's connection string. Offsets count within the entry's value and include the quotes.
struct IniPair {
  std::string key;
  std::string value;
  bool is_quoted = false;
  std::size_t begin = 0;
  std::size_t end = 0;
};

// Throws Refused "pooler.ini-comment" if a ; or # is what spoils the line, else "pooler.ini-syntax".
std::vector<IniPair> read_pairs(const IniEntry& entry);

// As PgBouncer reads it back; quoted if asked for or needed.
std::string ini_value(const std::string& value, bool is_quoted);

// "/etc/pgbouncer/pgbouncer.ini:12"
std::string place(const IniEntry& entry);

}  // namespace verdigris
