// Is this console that of the process meant, and does that process read the file meant (operator.md 8.2)? A pooler left
// over from an earlier run keeps port and console and sends clients elsewhere (faults B20); a port number is no
// evidence.
#pragma once

#include <sys/types.h>

#include <filesystem>
#include <map>
#include <string>

#include "controller/pgbouncer_console.hpp"

namespace verdigris {

struct PoolerProcess {
  pid_t pid = 0;              // 0 if it cannot be seen from here (another pid namespace)
  std::filesystem::path cwd;  // where its relative names begin; empty if not readable for us
};

// config: SHOW CONFIG of the console. Throws Refused "pooler.identity", or "pooler.remote" for a console on another
// machine, whose file cannot be the one here.
PoolerProcess identify_pooler(PgBouncerConsole& console, const std::map<std::string, std::string>& config,
                              const std::filesystem::path& file);

}  // namespace verdigris
