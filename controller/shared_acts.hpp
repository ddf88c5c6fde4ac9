// What several steps show alike of what they would send: values that are kept, fences, programs. Only reads; any thread.
#pragma once

#include <string>
#include <vector>

#include "controller/planned_act.hpp"
#include "replication/replica_identity.hpp"
#include "replication/schema.hpp"
#include "replication/server.hpp"

namespace verdigris {

PlannedAct saving(Server& on, const std::string& key, const std::string& value);
PlannedAct forgetting(Server& on, const std::string& key);

// A replica identity for each of these tables, and what was there kept.
PlannedActs identity_acts(Server& on, const std::vector<IdentityChange>& changes);

// A trigger on each of these tables. unknown: what is said if none of them is there yet; nothing: then there is none.
void add_fence_triggers(PlannedActs& out, const std::string& on, const std::vector<QualifiedName>& tables, const std::string& unknown);

// The programs that carry one section of the schema; their files are made only then.
void add_programs(PlannedActs& out, const SchemaDumpTool& tool, Server& source, Server& target, SchemaSection section);

// Those of section post-data: indexes and constraints are sent one by one, `workers` at once, the rest comes with `noted`.
void add_post_data_programs(PlannedActs& out, const SchemaDumpTool& tool, Server& source, Server& target, int workers,
                            const PlannedAct& noted);

std::vector<std::string> sql_names(const std::vector<QualifiedName>& tables);

}  // namespace verdigris
