// The schema's way from the source to the target: pg_dump -Fc into a private file, pg_restore by section, each section
// one transaction; never a dump through psql (faults S1). Programs are started by the ToolRunner that callers hand in.
// And the comparison for a schema that is on the target already. Throws Refused "tool.pg-dump" if no pg_dump is new
// enough.
#pragma once

#include <filesystem>
#include <functional>
#include <string>
#include <vector>

#include "replication/schema_dump.hpp"
#include "replication/server.hpp"
#include "replication/table_selection.hpp"
#include "replication/tool_runner.hpp"

namespace verdigris {

enum class SchemaSection { pre_data, post_data };

// Dumps the source and restores one section on the target; the dump is kept for the other. What is ours does not travel: schema verdigris, fence
// triggers, publications, subscriptions. Throws Error("schema.dump") or Error("schema.restore") with the first message
// and the statement.
void carry_schema(const Server& source, const Server& target, SchemaSection section, const SchemaTools& tools,
                  Deadline deadline);

struct PostDataWork {
  int workers = 2;            // indexes and constraints that are built at once
  bool is_rest_there = false;  // what comes in one transaction behind them was restored before
  std::function<void(Connection&)> note_rest = {};  // notes in that transaction that it is there
};

// Section post-data, from the dump that is kept if it is young; on a target that may have some of its indexes and
// constraints already: those are not built again.
// Throws as carry_schema does.
void carry_post_data(const Server& source, Server& target, const SchemaTools& tools, const PostDataWork& work,
                     const ProgressCallback& progress, Deadline deadline);

// The programs that it runs behind dumping_command(), in this order. dump and list: files of its own; the list is
// filtered_toc() of the first.
std::vector<std::string> listing_command(const SchemaDumpTool& tool, const std::string& dump);
// Of one section alone. A comment is of the section of what it comes behind, which pg_restore knows here only.
std::vector<std::string> listing_command(const SchemaDumpTool& tool, SchemaSection section, const std::string& dump);
std::vector<std::string> restoring_command(const SchemaDumpTool& tool, const Server& target, SchemaSection section,
                                           const std::string& dump, const std::string& list);

// Prints what is in the list as SQL.
std::vector<std::string> printing_command(const SchemaDumpTool& tool, SchemaSection section, const std::string& dump,
                                          const std::string& list);

// The lines of pg_restore -l without what is ours.
std::string filtered_toc(const std::string& toc);

// What the target lacks, one phrase each: "public.orders", "public.orders.total numeric(10,2) (integer on green)".
std::vector<std::string> missing_tables(Connection& source, Connection& target, const TableSelection& filter,
                                        Deadline deadline);
// Constraints, indexes, triggers, policies and rules of the source that the target does not have, by name.
std::vector<std::string> missing_post_data(Connection& source, Connection& target, const TableSelection& filter,
                                           Deadline deadline);

}  // namespace verdigris
