#include "healthcheck/questions.hpp"

namespace verdigris::questions {

// An older pg_dump refuses a newer server; nothing else can carry the schema over.
Findings dump_tool(const CheckContext& context) {
  if (!context.settings.dumps_schema) return {note("tool.pg-dump", "not needed: replication.schema is present")};
  const std::string blue = std::to_string(context.source.major());
  const std::string hint = "Install the client programs of PostgreSQL " + blue +
                           ", or load the schema yourself and say replication.schema: present.";
  const auto& tool = context.settings.pg_dump;
  if (!tool) return {fail("tool.pg-dump", "no pg_dump was found here; blue is PostgreSQL " + blue, hint)};
  const std::string version = std::to_string(tool->version / 10000) + "." + std::to_string(tool->version % 10000);
  if (tool->version / 10000 < context.source.major())
    return {
        fail("tool.pg-dump", tool->path + " is " + version + ", too old for blue, which is PostgreSQL " + blue, hint)};
  return {pass("tool.pg-dump", tool->path + " " + version)};
}

}  // namespace verdigris::questions
