// Where PostgreSQL's programs of a major are: the folders named by --bindir, Debian's, then .toolchain/postgres of the
// project this program was built in. Each is asked `postgres -V`; a folder's name is no evidence.
#pragma once

#include <filesystem>
#include <optional>
#include <string>
#include <vector>

namespace verdigris {

struct PostgresBinaries {
  std::filesystem::path bindir;
  int major = 0;
  std::string version;  // "15.20"
};

std::optional<PostgresBinaries> find_postgres(int major, const std::vector<std::filesystem::path>& bindirs = {});
// As above; throws Refused("sandbox.binaries").
PostgresBinaries require_postgres(int major, const std::vector<std::filesystem::path>& bindirs = {});
// First of a few usual folders; throws Refused("sandbox.binaries").
std::filesystem::path require_pgbouncer(const std::filesystem::path& named = {});

}  // namespace verdigris
