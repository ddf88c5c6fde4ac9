// What comes behind the rows, from pg_restore's own script: indexes and constraints one by one, several at once, then
// the rest of the section (foreign keys, triggers, rules, policies, comments) in one transaction, in which it is noted,
// too. Begun anew, what is there is not made again.
#pragma once

#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "replication/index_build.hpp"
#include "replication/server.hpp"
#include "replication/tool_runner.hpp"

namespace verdigris {

// The contents list of the section in two: what can be built side by side, and the rest. A view or function that needs
// a key comes between; what follows one is of the rest, too.
struct PostDataToc {
  std::string builds, rest;
  std::size_t build_count = 0, rest_count = 0;
};
PostDataToc split_toc(const std::string& toc);

// A script of pg_restore as the statements of its entries. If they are not `count` (an expression may look like
// pg_restore's comments), one: the whole.
std::vector<std::string> split_script(const std::string& script, std::size_t count);
// Builds what the target lacks, the largest table first; each in a transaction of its own, begun anew when a lock
// cannot be had. Throws Error("schema.restore") with the statement of the first that failed, after the others have
// ended. encoding: of the statements.
void build_indexes(Server& target, std::vector<IndexBuild> builds, const std::string& encoding, int workers,
                   const ProgressCallback& progress, Deadline deadline);

// The rest, and `note` on the same session, in one transaction. progress: before a statement, twice a second at most.
void restore_rest(const Server& target, const std::vector<std::string>& statements, const std::string& encoding,
                  const std::function<void(Connection&)>& note, const ProgressCallback& progress, Deadline deadline);

}  // namespace verdigris
