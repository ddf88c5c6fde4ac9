// Dumps of the source's schema, as files of our own, and the programs that make and read them. One dump serves a whole
// prepare while it is young: its second section is restored from the file that the first came from.
#pragma once

#include <filesystem>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "replication/deadline.hpp"
#include "replication/server.hpp"
#include "replication/tool_runner.hpp"

namespace verdigris {

struct SchemaDumpTool {
  std::filesystem::path directory;
  int major = 0;
  std::string version;  // "15.18"
};

class SchemaDumps;

struct SchemaTools {
  ToolRunner run;
  std::vector<std::filesystem::path> directories;  // where pg_dump and pg_restore may be; see tool_directories()
  std::shared_ptr<SchemaDumps> dumps = {};         // shared by those who may use each other's; nothing: each takes its own
};

// A file of our own, readable by us alone, gone with the object. Throws Error "temporary-file".
class PrivateFile {
 public:
  explicit PrivateFile(const std::string& content = {});
  ~PrivateFile();
  PrivateFile(const PrivateFile&) = delete;
  PrivateFile& operator=(const PrivateFile&) = delete;
  std::string path() const { return path_.string(); }

 private:
  std::filesystem::path path_;
};

struct SchemaDump {
  explicit SchemaDump(SchemaDumpTool of) : tool(std::move(of)) {}
  SchemaDumpTool tool;
  PrivateFile file;
  std::string path() const { return file.path(); }
};

// Of one source and target, by one thread.
class SchemaDumps {
 public:
  // What has changed on the source since is found later by whoever compares the two sides.
  static constexpr std::chrono::seconds kYoung{60};

  // What is at hand does not change within a run: each is asked for its version once.
  const std::vector<SchemaDumpTool>& programs(const SchemaTools& tools, Deadline deadline);
  void keep(std::shared_ptr<const SchemaDump> dump, Deadline young);
  std::shared_ptr<const SchemaDump> take_young();  // nothing if there is none; it is not kept any longer

 private:
  std::optional<std::vector<SchemaDumpTool>> programs_;
  std::shared_ptr<const SchemaDump> kept_;
  std::optional<Deadline> young_;
};

// Debian's /usr/lib/postgresql/<N>/bin, after those that a person named.
std::vector<std::filesystem::path> tool_directories(const std::vector<std::filesystem::path>& named);

// What is at hand, oldest first.
std::vector<SchemaDumpTool> dump_tools(const SchemaTools& tools, Deadline deadline);

// The oldest that can read the source: a newer one writes settings that an older target does not know. Throws Refused
// "tool.pg-dump" if none is new enough.
SchemaDumpTool find_dump_tool(const SchemaTools& tools, const Server& source, const Server& target, Deadline deadline);

// Throws Error "schema.dump".
std::shared_ptr<const SchemaDump> new_dump(const Server& source, const Server& target, const SchemaTools& tools,
                                           Deadline deadline);
// The young one that is kept, or a new one.
std::shared_ptr<const SchemaDump> young_dump(const Server& source, const Server& target, const SchemaTools& tools,
                                             Deadline deadline);

// The program that makes one; dump: a file of its own.
std::vector<std::string> dumping_command(const SchemaDumpTool& tool, const Server& source, const std::string& dump);
// Time-outs and read-only defaults of roles and databases must not stop a restore, nor event triggers that were there.
std::string conninfo_for_tools(const Server& server);

// Its output. Throws Error `id` with the first message of a program that fails.
std::string run_schema_tool(const SchemaTools& tools, const std::string& id, const std::string& where,
                            std::vector<std::string> argv, Deadline deadline);

}  // namespace verdigris
