#include "controller/config_playbook.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "controller/config_conninfo.hpp"
#include "controller/config_gates.hpp"
#include "controller/config_values.hpp"
#include "replication/errors.hpp"

namespace verdigris {

namespace {

using std::chrono::hours;
using std::chrono::milliseconds;
using std::chrono::minutes;

void check_name(const std::string& name) {
  const auto is_allowed = [](char c) { return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '_'; };
  const bool is_good = !name.empty() && name.size() <= 40 && name[0] >= 'a' && name[0] <= 'z' &&
                       std::all_of(name.begin(), name.end(), is_allowed);
  if (!is_good)
    throw misuse(
        "name",
        fmt::format("\"{}\" is not a name: a letter, then at most 39 letters, digits and underscores, all small", name),
        "The names of slots allow nothing else.");
}

void read_header(Mapping& root, Playbook& playbook) {
  root.require("apiVersion");
  root.scalar("apiVersion", [](const YamlNode& node) { parse_choice(node.text, {"verdigris/v1"}); });
  root.require("kind");
  root.scalar("kind", [](const YamlNode& node) { parse_choice(node.text, {"Cutover"}); });
  root.require("name");
  root.scalar("name", [&](const YamlNode& node) {
    check_name(node.text);
    playbook.name = node.text;
  });
}

// "schema.table"; * stands for any run of characters.
void check_pattern(const std::string& pattern) {
  const auto dot = pattern.find('.');
  const bool is_good = dot != std::string::npos && dot > 0 && dot + 1 < pattern.size() &&
                       pattern.find('.', dot + 1) == std::string::npos;
  if (!is_good) throw misuse("value", fmt::format("\"{}\" is not a pattern of the form schema.table", pattern));
}

void read_patterns(Mapping& tables, const std::string& key, std::vector<std::string>& into) {
  if (!tables.has(key)) return;
  into.clear();
  const auto nodes = tables.scalars(key);
  if (key == "include" && nodes.empty())
    tables.faults().add(tables.place_of(key), "value", "\"replication.tables.include\" names no table");
  for (const YamlNode& node : nodes)
    if (attempt(tables.faults(), node, [&] { check_pattern(node.text); })) into.push_back(node.text);
}

void read_tables(Mapping& replication, ReplicationSettings& settings) {
  auto tables = replication.mapping("tables");
  if (!tables) return;
  read_patterns(*tables, "include", settings.include);
  read_patterns(*tables, "exclude", settings.exclude);
  tables->close();
}

// "schema.table", as it is: what is tied to what is known only of tables.
void check_table(const std::string& name) {
  check_pattern(name);
  if (name.find_first_of("*?") != std::string::npos)
    throw misuse("value", fmt::format("\"{}\" is not one table of the form schema.table", name));
}

void read_group(Mapping& replication, const YamlNode& list, ReplicationSettings& settings) {
  auto& faults = replication.faults();
  auto& group = settings.groups.emplace_back();
  for (const YamlNode& node : list.items) {
    if (node.is_secret) continue;
    if (node.kind != YamlNode::Kind::scalar) {
      faults.add(node.place, "type", "\"replication.groups[][]\" must be a table");
      continue;
    }
    if (!attempt(faults, node, [&] { check_table(node.text); })) continue;
    for (const auto& other : settings.groups)
      if (std::ranges::find(other, node.text) != other.end())
        faults.add(node.place, "value", fmt::format("\"{}\" stands in \"replication.groups\" twice", node.text));
    group.push_back(node.text);
  }
  if (list.items.empty()) faults.add(list.place, "value", "a list of \"replication.groups\" names no table");
}

// is_physical: its one slot is made along with the copy of the files.
void read_groups(Mapping& replication, ReplicationSettings& settings, bool is_physical) {
  constexpr std::size_t kMostGroups = 8;
  const YamlNode* node = replication.find("groups");
  if (node == nullptr) return;
  if (node->kind != YamlNode::Kind::sequence) {
    replication.scalar("groups", [&](const YamlNode& word) {
      settings.is_one_group = parse_choice(word.text, {"auto", "one"}) == 1;
    });
    return;
  }
  settings.is_one_group = false;
  if (node->items.empty())
    replication.faults().add(node->place, "value", "\"replication.groups\" names no list; write one or auto");
  for (const YamlNode& list : replication.sequence("groups")) {
    if (list.is_secret) continue;
    if (list.kind != YamlNode::Kind::sequence)
      replication.faults().add(list.place, "type", "\"replication.groups[]\" must be a list of tables");
    else
      read_group(replication, list, settings);
  }
  if (is_physical)
    replication.faults().add(node->place, "value", "lists in \"replication.groups\" mean nothing with green: physical");
  if (settings.groups.size() >= kMostGroups)
    replication.faults().add(node->place, "range", fmt::format("\"replication.groups\" may be {} lists at the most", kMostGroups - 1));
}

void read_copy(Mapping& replication, ReplicationSettings& settings) {
  auto copy = replication.mapping("copy");
  if (!copy) return;
  copy->plain("workers", [&](const std::string& text) {
    settings.copy_workers = static_cast<int>(parse_integer(text, {1, 64}));
  });
  copy->scalar("max_rate", [&](const YamlNode& node) { settings.copy_pace.max_bytes_per_second = parse_rate(node.text); });
  copy->scalar("ddl_wait", [&](const YamlNode& node) {
    settings.copy_ddl_wait = parse_duration(node.text, {milliseconds(100), minutes(10)});
  });
  if (auto load = copy->mapping("max_load")) {
    LoadLimits& limits = settings.copy_pace.max_load;
    load->plain("active_sessions",
                [&](const std::string& text) { limits.active_sessions = static_cast<int>(parse_integer(text, {1, 100'000})); });
    load->scalar("standby_lag", [&](const YamlNode& node) { limits.standby_lag = parse_duration(node.text, {milliseconds(10), hours(24)}); });
    load->scalar("commit", [&](const YamlNode& node) { limits.commit = parse_duration(node.text, {milliseconds(1), minutes(1)}); });
    load->close();
  }
  copy->close();
}

// Words of the design that ask for behaviour this version does not have.
void require_way_back(const std::string& word) {
  if (word == "best_effort" || word == "off")
    throw misuse("unsupported-value",
                 fmt::format("\"{}\" is not supported by this version; only \"required\" is", word));
  parse_choice(word, {"required"});
}

void read_replication(Mapping& root, Playbook& playbook) {
  root.require("replication");
  auto replication = root.mapping("replication");
  if (!replication) return;
  ReplicationSettings& settings = playbook.replication;
  replication->refuse_unsupported({"password_in_catalog"});
  read_replication_conninfo(*replication, playbook);
  read_tables(*replication, settings);
  read_groups(*replication, settings, playbook.provision.is_physical());
  read_copy(*replication, settings);
  read_choice(*replication, "identity", {"auto", "refuse"},
              [&](std::size_t i) { settings.identity = i == 0 ? IdentityMode::automatic : IdentityMode::refuse; });
  read_choice(*replication, "schema", {"dump", "present"},
              [&](std::size_t i) { settings.schema = i == 0 ? SchemaMode::dump : SchemaMode::present; });
  replication->scalar("reverse", [](const YamlNode& node) { require_way_back(node.text); });
  replication->scalar("max_slot_wal", [&](const YamlNode& node) {
    settings.max_slot_wal_bytes = parse_size(node.text, {std::int64_t{1} << 20, std::int64_t{1} << 50});
  });
  replication->close();
}

void read_migrations(Mapping& root, Playbook& playbook) {
  auto migrations = root.mapping("migrations");
  if (!migrations) return;
  migrations->refuse_unsupported({"fail_on"});
  migrations->require("dir");
  migrations->scalar("dir", [&](const YamlNode& node) { playbook.migrations.dir = beside(playbook, node.text); });
  read_duration(*migrations, "lock_timeout", playbook.migrations.lock_timeout, milliseconds{1}, minutes{10});
  migrations->close();
}

void read_fence(Mapping& root, Playbook& playbook) {
  // Nobody drains the sessions of clients that are not held by a PgBouncer: a crossing that waited for their end would
  // wait for good. Whoever stops the clients before a switch may write refuse or wait.
  if (playbook.pooler.driver != "pgbouncer") playbook.fence.bypass = BypassPolicy::terminate;
  auto fence = root.mapping("fence");
  if (!fence) return;
  fence->refuse_unsupported({"leaders"});
  read_choice(*fence, "bypass", {"refuse", "wait", "terminate"},
              [&](std::size_t i) { playbook.fence.bypass = static_cast<BypassPolicy>(i); });
  read_choice(*fence, "autovacuum", {"wait", "cancel"},
              [&](std::size_t i) { playbook.fence.autovacuum = static_cast<AutovacuumPolicy>(i); });
  read_duration(*fence, "lock_timeout", playbook.fence.lock_timeout, milliseconds{1}, minutes{1});
  fence->close();
}

void read_limits(Mapping& root, Playbook& playbook) {
  if (auto cutover = root.mapping("cutover")) {
    cutover->refuse_unsupported({"window"});
    if (auto verify = cutover->mapping("verify")) {
      verify->refuse_unsupported({"before", "max_age"});
      read_choice(*verify, "in_pause", {"auto", "changed", "full"},
                  [&](std::size_t i) { playbook.cutover.verify.in_pause = static_cast<InPause>(i); });
      read_duration(*verify, "budget", playbook.cutover.verify.budget, milliseconds{1}, minutes{1});
      verify->close();
    }
    if (auto standbys = cutover->mapping("standbys")) {
      for (const auto& node : standbys->scalars("promotable")) playbook.cutover.promotable.push_back(node.text);
      for (const auto& node : standbys->scalars("away")) playbook.cutover.away_slots.push_back(node.text);
      standbys->close();
    }
    read_duration(*cutover, "max_pause", playbook.cutover.max_pause, milliseconds{100}, minutes{10});
    cutover->close();
  }
  if (auto rollback = root.mapping("rollback")) {
    rollback->refuse_unsupported({"watch", "auto"});
    read_duration(*rollback, "keep", playbook.rollback.keep, milliseconds{0}, hours{24 * 365});
    rollback->close();
  }
}

// The least that a pause needs besides PAUSE itself would be a guess; but it cannot be shorter than its first part.
void check_together(Mapping& root, const Playbook& playbook) {
  const auto& pooler = playbook.pooler;
  const bool has_command = pooler.driver == "command";
  const auto first = pooler.driver == "pgbouncer" ? pooler.pause_timeout
                     : has_command && pooler.command.hold ? pooler.command.hold->timeout
                                                          : milliseconds{0};
  if (first < playbook.cutover.max_pause) return;
  const Place at = root.has("cutover") ? root.place_of("cutover") : root.place_of("pooler");
  root.faults().add(at, "range",
                    fmt::format("{} ({}) must be shorter than cutover.max_pause ({})",
                                has_command ? "pooler.command.hold.timeout" : "pooler.pause.timeout", duration_text(first),
                                duration_text(playbook.cutover.max_pause)));
}

}  // namespace

void read_choice(Mapping& mapping, const std::string& key, const std::vector<std::string>& choices,
                 const std::function<void(std::size_t)>& take) {
  mapping.scalar(key, [&](const YamlNode& node) { take(parse_choice(node.text, choices)); });
}

void read_duration(Mapping& mapping, const std::string& key, milliseconds& into, milliseconds smallest,
                   milliseconds largest) {
  mapping.scalar(key, [&](const YamlNode& node) { into = parse_duration(node.text, {smallest, largest}); });
}

std::filesystem::path beside(const Playbook& playbook, const std::string& written) {
  if (written.empty()) throw misuse("value", "the path is empty");
  return (std::filesystem::absolute(playbook.file).parent_path() / written).lexically_normal();
}

void read_playbook(Mapping& root, Playbook& playbook, std::chrono::sys_days today) {
  root.refuse_unsupported({"ddl", "databases", "data", "parity", "hooks", "serve"});
  read_header(root, playbook);
  read_provision(root, playbook);  // how much of green must be written down depends on it
  read_clusters(root, playbook);
  read_replication(root, playbook);
  check_reach_of_green(root, playbook);
  read_migrations(root, playbook);
  read_pooler(root, playbook);
  read_fence(root, playbook);
  read_gates(root, playbook);
  read_limits(root, playbook);
  read_waivers(root, playbook, today);
  check_together(root, playbook);
  root.close();
}

}  // namespace verdigris
