// The move of database lines from PgBouncer's main file into the included file of ours, as texts (operator.md 8.3). Each
// database stays defined at every moment if the included file is written first, and the main file replaced by one rename.
// Values; any thread.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "controller/ini_file.hpp"

namespace verdigris {

// The alias that tries whether the file is read (pgbouncer_probe.hpp).
inline constexpr std::string_view kProbePrefix = "verdigris_probe_";

struct AdoptedTexts {
  std::string main;      // without the lines, the %include last
  std::string included;  // with them
  std::vector<std::string> moved;  // aliases whose lines leave the main file; none: all are where they belong
};

// "%include /etc/pgbouncer/verdigris/orders.ini", for whatever makes the main file.
std::string include_line(const std::string& included);

// file was parsed with `included` as its managed file. Throws Refused as IniFile::definition() does, but for a line that
// stands in both files with the same value: an adoption that was interrupted; "pooler.include-path" for a name that
// PgBouncer would not read back.
AdoptedTexts adopted_texts(const IniFile& file, const std::vector<std::string>& aliases, const std::string& included);

// The included file, which defines alias, with further lines of databases before that one.
std::string with_lines(const std::string& included, const std::string& alias, const std::string& lines);

// Without the lines of a probe that was interrupted.
std::string without_probes(std::string_view included);

}  // namespace verdigris
