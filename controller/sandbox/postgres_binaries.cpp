#include "controller/sandbox/postgres_binaries.hpp"

#include <unistd.h>

#include <algorithm>

#include "controller/process.hpp"
#include "replication/errors.hpp"

namespace verdigris {
namespace {

namespace fs = std::filesystem;

// "postgres (PostgreSQL) 15.20 (Debian 15.20-0+deb12u1)" -> "15.20"; empty if the program does not answer so.
std::string version_of(const fs::path& program) {
  std::error_code ignored;
  if (!fs::exists(program, ignored)) return {};
  const auto answer = run_tool({{program.string(), "-V"}, {}, {}}, Deadline::after(std::chrono::seconds(10)));
  const std::string before = "(PostgreSQL) ";
  const auto at = answer.output.find(before);
  if (answer.exit_code != 0 || at == std::string::npos) return {};
  const auto begin = at + before.size();
  return answer.output.substr(begin, answer.output.find_first_of(" \n", begin) - begin);
}

// The project is found from the program: build/<preset>/verdigris and build/<preset>/tests/... lie below it.
std::vector<fs::path> toolchains() {
  std::vector<fs::path> result;
  std::error_code error;
  for (fs::path folder = fs::read_symlink("/proc/self/exe", error).parent_path(); folder.has_relative_path();
       folder = folder.parent_path())
    if (const auto found = folder / ".toolchain/postgres"; fs::is_directory(found, error)) result.push_back(found);
  return result;
}

std::vector<fs::path> places(int major, const std::vector<fs::path>& bindirs) {
  auto result = bindirs;
  const auto name = std::to_string(major);
  result.push_back(fs::path("/usr/lib/postgresql") / name / "bin");
  for (const auto& toolchain : toolchains()) result.push_back(toolchain / name / "bin");
  return result;
}

}  // namespace

std::optional<PostgresBinaries> find_postgres(int major, const std::vector<fs::path>& bindirs) {
  for (const auto& bindir : places(major, bindirs)) {
    const auto version = version_of(bindir / "postgres");
    if (version.substr(0, version.find_first_not_of("0123456789")) == std::to_string(major))
      return PostgresBinaries{fs::weakly_canonical(bindir), major, version};
  }
  return std::nullopt;
}

PostgresBinaries require_postgres(int major, const std::vector<fs::path>& bindirs) {
  if (auto found = find_postgres(major, bindirs)) return *found;
  throw Refused("sandbox.binaries", "PostgreSQL " + std::to_string(major) + " is not on this machine",
                "Run scripts/bootstrap, or name the folder of its programs with --bindir.");
}

fs::path require_pgbouncer(const fs::path& named) {
  if (!named.empty() && ::access(named.c_str(), X_OK) == 0 && !fs::is_directory(named)) return named;
  if (!named.empty())
    throw Refused("sandbox.binaries", "\"" + named.string() + "\" is no program that can be run", "Name PgBouncer's own program with --pgbouncer.");
  for (const char* place :
       {"/usr/sbin/pgbouncer", "/usr/bin/pgbouncer", "/usr/local/sbin/pgbouncer", "/usr/local/bin/pgbouncer"})
    if (fs::exists(place)) return place;
  throw Refused("sandbox.binaries", "PgBouncer is not on this machine", "Run scripts/bootstrap.");
}

}  // namespace verdigris
