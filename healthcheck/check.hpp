// A check asks one question about the two servers and changes nothing; it says what it found as findings with stable
// ids. The list of all checks is checks.cpp. Everything a question may look at is in the CheckContext.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "replication/catalog.hpp"
#include "replication/conninfo.hpp"
#include "replication/deadline.hpp"
#include "replication/server.hpp"
#include "replication/table_groups.hpp"
#include "replication/table_selection.hpp"

namespace verdigris {

enum class Level { pass, warn, fail, note };

struct Finding {
  Level level;
  std::string id;    // "ri.none"; waivers name it
  std::string text;  // what, on which server, why; lower case, no full stop
  std::string hint;  // what to do, one sentence; empty for pass
};

using Findings = std::vector<Finding>;

// Somebody answers for a failing check by name.
struct CheckWaiver {
  std::string id;
  std::string reason;
};

struct DumpTool {
  std::string path;
  int version = 0;  // as server_version_num: 150020
};

// What of a playbook the questions need.
struct CheckSettings {
  std::string deployment;
  TableSelection tables = {};
  bool makes_identities = true;  // replication.identity: auto
  bool dumps_schema = true;      // replication.schema: dump
  bool needs_reverse = true;     // replication.reverse: required
  int copy_workers = 2;
  GroupsWanted groups = {};     // replication.groups, and what the machines can bear
  std::int64_t max_slot_wal_bytes = 0;
  std::optional<Conninfo> to_blue = {}, to_green = {};  // as the servers reach each other
  std::optional<DumpTool> pg_dump = {};                 // as the controller found it
  std::vector<int> pooler_backends = {};                // pids of blue's sessions that belong to a pooler
  bool ends_sessions = false;                           // fence.bypass: terminate
  std::vector<std::string> our_roles = {};              // the controller's and replication's
  std::vector<CheckWaiver> waivers = {};
  bool is_target_ours = false;                          // provision.green: initdb
  bool is_target_copy = false;                          // provision.green: physical
  bool is_target_loading = false;                       // made by us and not given its settings for good yet
  std::vector<std::string> promotable = {};             // physical standbys that may be promoted: they wait for the fence
  std::vector<std::string> away_slots = {};             // physical slots whose absent reader nobody promotes
};

// Both control sessions are open, and read only if nothing else is to be done with them.
struct CheckContext {
  Server& source;  // the side that clients write to: blue before the first switch
  Server& target;  // the side they shall write to
  const CheckSettings& settings;
  bool is_prepared;  // both sides hold this deployment's control schema
  Deadline deadline;
  bool is_following = false;  // the target is complete and follows the source: what it holds can be compared
  bool is_preparing = false;  // prepare asks: what it will mend itself is no obstacle

  std::vector<Server*> both() const { return {&source, &target}; }
};

struct Check {
  std::string_view name;
  Findings (*ask)(const CheckContext& context);
  bool is_decisive = false;  // what comes after a failure has no meaning and is not asked
};

Finding pass(std::string id, std::string text);
Finding note(std::string id, std::string text, std::string hint = {});
Finding warn(std::string id, std::string text, std::string hint);
Finding fail(std::string id, std::string text, std::string hint);

// A failure that somebody answers for becomes a warning with the reason.
void apply_waivers(const std::vector<CheckWaiver>& waivers, Findings& findings);

// "public.a, public.b and 7 more"
std::string some_of(const std::vector<std::string>& names);

}  // namespace verdigris
