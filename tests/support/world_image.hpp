// Everything that a step could change, read as lines: both databases' catalogs, rows, sequences and saved values, and
// the pooler with its file. To show that an act changed nothing, or what it changed. Positions in the log, markers and
// the journal are left out: they move by themselves.
#pragma once

#include <filesystem>
#include <set>
#include <string>

#include "controller/pgbouncer_console.hpp"
#include "replication/connection.hpp"

namespace verdigris::test {

using Image = std::set<std::string>;

// Objects with their oids: one that was dropped and made anew is another one.
Image server_image(Connection& on, const std::string& color);
Image pooler_image(PgBouncerConsole& console, const std::filesystem::path& ini);
// "- line" for what is gone, "+ line" for what came; empty for equal images.
std::string difference(const Image& before, const Image& after);

}  // namespace verdigris::test
