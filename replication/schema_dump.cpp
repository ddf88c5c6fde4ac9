#include "replication/schema_dump.hpp"

#include <stdlib.h>
#include <unistd.h>

#include <algorithm>
#include <fstream>
#include <sstream>
#include <utility>

#include "replication/errors.hpp"

namespace verdigris {
namespace {

namespace fs = std::filesystem;

// From the first message on, so that its statement is seen and a flood of consequences is not.
std::string first_error(const std::string& errors) {
  constexpr std::size_t kMostShown = 2000;
  const auto at = errors.find("error:");
  const auto line = at == std::string::npos ? 0 : errors.rfind('\n', at) + 1;
  std::string text = errors.substr(at == std::string::npos ? 0 : line, kMostShown);
  while (!text.empty() && text.back() == '\n') text.pop_back();
  return text.empty() ? "no message" : text;
}

// "pg_dump (PostgreSQL) 15.18 (Debian 15.18-0+deb12u1)"
SchemaDumpTool read_version(const fs::path& directory, const std::string& output) {
  SchemaDumpTool tool{.directory = directory, .major = 0, .version = {}};
  std::istringstream words(output);
  std::string word;
  words >> word >> word >> tool.version;
  tool.major = std::atoi(tool.version.c_str());
  return tool;
}

}  // namespace

// mkstemp creates with mode 0600.
PrivateFile::PrivateFile(const std::string& content) {
  std::string pattern = (fs::temp_directory_path() / "verdigris-XXXXXX").string();
  const int descriptor = ::mkstemp(pattern.data());
  if (descriptor < 0) throw Error("temporary-file", "cannot create " + pattern, "Check TMPDIR.");
  ::close(descriptor);
  path_ = pattern;
  std::ofstream(path_, std::ios::binary) << content;
}

PrivateFile::~PrivateFile() {
  std::error_code ignored;
  fs::remove(path_, ignored);
}

const std::vector<SchemaDumpTool>& SchemaDumps::programs(const SchemaTools& tools, Deadline deadline) {
  if (!programs_) programs_ = dump_tools(tools, deadline);
  return *programs_;
}

void SchemaDumps::keep(std::shared_ptr<const SchemaDump> dump, Deadline young) {
  kept_ = std::move(dump);
  young_ = young;
}

std::shared_ptr<const SchemaDump> SchemaDumps::take_young() {
  auto dump = std::exchange(kept_, nullptr);
  return dump && !young_->has_passed() ? dump : nullptr;
}

std::string run_schema_tool(const SchemaTools& tools, const std::string& id, const std::string& where,
                            std::vector<std::string> argv, Deadline deadline) {
  const std::string program = fs::path(argv.front()).filename();
  const ToolResult result = tools.run({std::move(argv), {}, {}}, deadline);
  if (result.exit_code == 0) return result.output;
  throw Error(id,
              where + ": " + program + " failed (exit code " + std::to_string(result.exit_code) +
                  "): " + first_error(result.errors),
              "Nothing of this section was kept; correct the cause, then repeat the command.");
}

std::string conninfo_for_tools(const Server& server) {
  std::string options = "-c default_transaction_read_only=off -c statement_timeout=0 -c lc_messages=C";
  if (server.major() >= 17) options += " -c event_triggers=off";
  return server.conninfo()
      .with("application_name", "verdigris/" + server.deployment() + "/schema")
      .with("options", options)
      .text();
}

std::vector<fs::path> tool_directories(const std::vector<fs::path>& named) {
  std::vector<fs::path> directories = named;
  std::error_code ignored;
  for (const auto& entry : fs::directory_iterator("/usr/lib/postgresql", ignored))
    directories.push_back(entry.path() / "bin");
  return directories;
}

std::vector<SchemaDumpTool> dump_tools(const SchemaTools& tools, Deadline deadline) {
  std::vector<SchemaDumpTool> found;
  for (const auto& directory : tools.directories) {
    if (!fs::exists(directory / "pg_dump") || !fs::exists(directory / "pg_restore")) continue;
    const auto result = tools.run({{(directory / "pg_dump").string(), "--version"}, {}, {}}, deadline);
    if (result.exit_code == 0) found.push_back(read_version(directory, result.output));
  }
  std::stable_sort(found.begin(), found.end(), [](const auto& a, const auto& b) { return a.major < b.major; });
  return found;
}

SchemaDumpTool find_dump_tool(const SchemaTools& tools, const Server& source, const Server& target, Deadline deadline) {
  const auto found = tools.dumps ? tools.dumps->programs(tools, deadline) : dump_tools(tools, deadline);
  const auto wanted = [&](const SchemaDumpTool& tool) { return tool.major >= source.major(); };
  const auto tool = std::find_if(found.begin(), found.end(), wanted);
  const std::string major = std::to_string(source.major());
  if (tool == found.end())
    throw Refused("tool.pg-dump",
                  "pg_dump must be at least " + source.color() + "'s major, " + major + ": " +
                      (found.empty() ? "there is none"
                                     : "the newest at hand is " + found.back().version + " in " +
                                           found.back().directory.string()),
                  "Install postgresql-client-" + major + " or newer, or load the schema on " + target.color() +
                      " yourself and set replication.schema to present.");
  if (tool->major >= 17 && target.major() < 17)
    throw Refused("tool.pg-dump",
                  "pg_restore " + tool->version + " uses settings that " + target.color() + ", PostgreSQL " +
                      std::to_string(target.major()) + ", does not know",
                  "Install postgresql-client-" + major + " beside it.");
  return *tool;
}

std::shared_ptr<const SchemaDump> new_dump(const Server& source, const Server& target, const SchemaTools& tools,
                                           Deadline deadline) {
  const auto young = Deadline::after(SchemaDumps::kYoung);
  auto dump = std::make_shared<SchemaDump>(find_dump_tool(tools, source, target, deadline));
  run_schema_tool(tools, "schema.dump", source.color(), dumping_command(dump->tool, source, dump->path()), deadline);
  if (tools.dumps) tools.dumps->keep(dump, young);
  return dump;
}

std::shared_ptr<const SchemaDump> young_dump(const Server& source, const Server& target, const SchemaTools& tools,
                                             Deadline deadline) {
  auto kept = tools.dumps ? tools.dumps->take_young() : nullptr;
  return kept ? kept : new_dump(source, target, tools, deadline);
}

std::vector<std::string> dumping_command(const SchemaDumpTool& tool, const Server& source, const std::string& dump) {
  return {(tool.directory / "pg_dump").string(), "--format=custom", "--schema-only", "--quote-all-identifiers",
          "--no-publications", "--no-subscriptions", "--exclude-schema=verdigris", "--lock-wait-timeout=5000",
          "--file=" + dump, "--dbname=" + conninfo_for_tools(source)};
}

}  // namespace verdigris
