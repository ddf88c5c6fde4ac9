#include "controller/sandbox/sandbox_files.hpp"

#include <fmt/chrono.h>
#include <fmt/format.h>

#include <chrono>
#include <fstream>

#include "controller/sandbox/roles.hpp"
#include "healthcheck/server_versions.hpp"
#include "replication/errors.hpp"

namespace verdigris {
namespace {

namespace fs = std::filesystem;

constexpr const char* kUp = R"(ALTER TABLE public.customers ADD COLUMN loyalty integer NOT NULL DEFAULT 0;
CREATE INDEX customers_loyalty ON public.customers (loyalty);
)";
constexpr const char* kDown = R"(DROP INDEX public.customers_loyalty;
ALTER TABLE public.customers DROP COLUMN loyalty;
)";

constexpr const char* kPlaybook = R"(# Written by "verdigris sandbox up"; ends with the sandbox.
apiVersion: verdigris/v1
kind: Cutover
name: shop
clusters:
  blue: {{ conninfo: "host={blue} port={blue_port} dbname=shop user=verdigris" }}
  green: {{ conninfo: "host={green} port={green_port} dbname=shop user=verdigris" }}
replication:
  conninfo:
    to_blue: "host={blue} port={blue_port} dbname=shop user=verdigris_repl"
    to_green: "host={green} port={green_port} dbname=shop user=verdigris_repl"
  schema: {schema}
migrations: {{ dir: migrations }}
pooler:
  driver: pgbouncer
  instances:
    - admin: "host={pooler} port={pooler_port} dbname=pgbouncer user={admin} passfile={passfile}"
      file: {ini}
  databases: [shop]
cutover: {{ max_pause: 20s }}
fence: {{ lock_timeout: 2s }}     # above deadlock_timeout: autovacuum gives way then
)";

// Only where the rule fires: a waiver that waives nothing is refused.
constexpr const char* kWaiver = R"(waivers:
  - {{ id: versions.minor, reason: "servers of a sandbox, not of production", until: {until:%Y-%m-%d} }}
)";

bool is_old(const SandboxServer& server) {
  const auto dot = server.version.find('.');
  const int minor = dot == std::string::npos ? 0 : std::atoi(server.version.c_str() + dot + 1);
  return is_below_floor(server.major * 10000 + minor);
}

void write_private(const fs::path& file, const std::string& text) {
  std::ofstream out(file, std::ios::trunc);
  fs::permissions(file, fs::perms::owner_read | fs::perms::owner_write);
  out << text;
  out.close();
  if (!out) throw Error("file", file.string() + ": cannot write");
}

}  // namespace

std::string waivers_for(const SandboxServer& blue, const SandboxServer& green) {
  const auto tomorrow = std::chrono::system_clock::to_time_t(std::chrono::system_clock::now() + std::chrono::hours(24));
  if (!is_old(blue) && !is_old(green)) return {};
  return fmt::format(kWaiver, fmt::arg("until", fmt::gmtime(tomorrow)));
}

void write_playbook(const SandboxState& state, const fs::path& pooler_ini, bool is_schema_present) {
  using namespace fmt::literals;
  const std::string text =
      fmt::format(kPlaybook, "blue"_a = state.blue.host, "blue_port"_a = state.blue.port, "green"_a = state.green.host,
                  "green_port"_a = state.green.port, "schema"_a = is_schema_present ? "present" : "dump",
                  "pooler"_a = state.pooler.host, "pooler_port"_a = state.pooler.port, "admin"_a = kPoolerAdmin.user,
                  "passfile"_a = state.passfile.string(), "ini"_a = pooler_ini.string());
  write_private(state.playbook(), text + waivers_for(state.blue, state.green));
}

void write_migration(const SandboxState& state) {
  const auto dir = state.dir / "migrations/0001_customer_loyalty";
  fs::create_directories(dir);
  write_private(dir / "up.sql", kUp);
  write_private(dir / "down.sql", kDown);
}

}  // namespace verdigris
