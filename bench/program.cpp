#include "bench/program.hpp"

#include <fmt/format.h>

#include <fstream>

#include "bench/dataset.hpp"
#include "controller/process.hpp"
#include "controller/sandbox/roles.hpp"
#include "controller/sandbox/sandbox_files.hpp"
#include "replication/errors.hpp"

namespace verdigris::bench {
namespace {

namespace fs = std::filesystem;
using namespace std::chrono_literals;

constexpr const char* kPlaybook = R"(apiVersion: verdigris/v1
kind: Cutover
name: shop
clusters:
  blue: {{ conninfo: "{blue}" }}
  green: {{ conninfo: "{green}" }}
replication:
  conninfo: {{ to_blue: "{to_blue}", to_green: "{to_green}" }}
  schema: dump
pooler:
  driver: pgbouncer
  instances:
{poolers}  databases: [shop]
  pause: {{ timeout: {wait} }}
cutover: {{ max_pause: {budget} }}
fence: {{ lock_timeout: 2s }}
)";

ToolResult run(std::vector<std::string> arguments, const fs::path& playbook) {
  arguments.insert(arguments.begin(), program_path().string());
  for (const auto& more : {std::string("--json"), std::string("--playbook"), playbook.string()})
    arguments.push_back(more);
  return run_tool({arguments, {}, {}}, Deadline::after(15min));
}

}  // namespace

fs::path program_path() {
  return fs::read_symlink("/proc/self/exe").parent_path() / "verdigris";
}

void Program::write_playbook() const {
  using namespace fmt::literals;
  std::string poolers;
  for (const auto& pooler : poolers_)
    poolers += fmt::format("    - {{ admin: \"{}\", file: {} }}\n", pooler.admin().text(), pooler.ini().string());
  const auto replication = [&](const std::string& color) {
    return world_.conninfo(color, "verdigris_repl", database()).text();
  };
  std::ofstream out(playbook());
  fs::permissions(playbook(), fs::perms::owner_read | fs::perms::owner_write);
  out << fmt::format(kPlaybook, "blue"_a = world_.conninfo("blue", "verdigris", database()).text(),
                     "green"_a = world_.conninfo("green", "verdigris", database()).text(),
                     "to_blue"_a = replication("blue"), "to_green"_a = replication("green"), "poolers"_a = poolers,
                     "budget"_a = scenario_.has_long_writer ? "1s" : "20s",
                     "wait"_a = scenario_.has_long_writer ? "500ms" : "2s")
      << waivers_for(world_.described("blue"), world_.described("green"));
}

void Program::prepare() {
  for (const std::string color : {"blue", "green"}) create_database(color);
  auto blue = world_.session("blue", "postgres");
  create_application_roles(blue, Deadline::after(60s));
  create_items(world_.conninfo("blue", "verdigris", database()), scenario_.tables, Deadline::after(10min));
  write_playbook();
  const auto result = run({"prepare", "--yes"}, playbook());
  if (result.exit_code != 0)
    throw Error("bench.prepare",
                "verdigris prepare ended with " + std::to_string(result.exit_code) + ": " + result.errors);
}

Crossing Program::move(const std::string& from, const std::string&) {
  const auto result = run({from == "blue" ? "switch" : "rollback", "--confirm", "shop"}, playbook());
  auto crossing = crossing_of_program(Json::parse(result.output, nullptr, false));
  // 5: put back within its budget; 3: refused before the pause. Anything else is a defect, and not for a statistic.
  if (result.exit_code != 0 && result.exit_code != 5 && result.exit_code != 3)
    throw Error("bench.crossing", "verdigris ended with " + std::to_string(result.exit_code) + ": " + result.errors);
  crossing.is_done = crossing.is_done && result.exit_code == 0;
  return crossing;
}

}  // namespace verdigris::bench
