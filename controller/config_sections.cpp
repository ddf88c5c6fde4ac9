// The sections of a playbook that say whom to talk to, and the waivers.
#include <fmt/format.h>

#include <algorithm>
#include <map>

#include "controller/config_conninfo.hpp"
#include "controller/config_playbook.hpp"
#include "controller/config_values.hpp"
#include "replication/errors.hpp"

namespace verdigris {

namespace {

// { service: orders-blue } or { conninfo: "host=..." }.
std::optional<Conninfo> read_cluster(Mapping& clusters, const std::string& side, const ConninfoRules& rules) {
  auto cluster = clusters.mapping(side);
  if (!cluster) return std::nullopt;
  std::optional<Conninfo> conninfo;
  if (cluster->has("service") == cluster->has("conninfo"))
    cluster->faults().add(cluster->place(), "missing-key",
                          fmt::format("\"clusters.{}\" must name either service or conninfo", side));
  cluster->scalar("service", [&](const YamlNode& node) {
    if (node.text.empty() || node.text.find_first_of(" \n[]") != std::string::npos)
      throw misuse("value", fmt::format("\"{}\" is not the name of a service", node.text));
    conninfo = Conninfo{}.with("service", node.text);
  });
  cluster->scalar("conninfo", [&](const YamlNode& node) { conninfo = read_conninfo(clusters.faults(), node, rules); });
  cluster->close();
  return conninfo;
}

void refuse_equal(ConfigFaults& faults, Place at, const std::optional<Conninfo>& one,
                  const std::optional<Conninfo>& other, const std::string& text) {
  if (one && other && address_of(*one) == address_of(*other)) faults.add(at, "same-database", text);
}

std::string stem_of(const PoolerInstance& instance) {
  return instance.file.stem().string();
}

// "/etc/pgbouncer/verdigris/orders.ini"; of a main file of another name "orders-<its stem>.ini", since several processes
// may have theirs in one directory.
std::filesystem::path default_include(const std::filesystem::path& file, const std::string& deployment) {
  const std::string more = file.filename() == "pgbouncer.ini" ? "" : "-" + file.stem().string();
  return file.parent_path() / "verdigris" / (deployment + more + ".ini");
}

// Named by the file's stem while that tells them apart, else by number.
void name_instances(std::vector<PoolerInstance>& instances) {
  std::map<std::string, int> uses;
  for (const PoolerInstance& each : instances) ++uses[stem_of(each)];
  const bool is_unique = std::all_of(uses.begin(), uses.end(), [](const auto& use) { return use.second == 1; });
  int number = 0;
  for (PoolerInstance& each : instances) {
    ++number;
    each.name = is_unique ? stem_of(each) : std::to_string(number);
  }
}

// "host port" or the service: dbname is the same for all consoles.
void refuse_repeated(ConfigFaults& faults, Place at, const std::vector<PoolerInstance>& before,
                     const PoolerInstance& it) {
  for (const PoolerInstance& each : before) {
    if (address_of(each.admin) == address_of(it.admin))
      faults.add(at, "pooler-repeated", "two pooler instances have the same console");
    if (each.file == it.file) faults.add(at, "pooler-repeated", "two pooler instances have the same file");
    else if (each.include == it.include)
      faults.add(at, "pooler-repeated", "two pooler instances have the same included file",
                 "Each process reads one of its own: name it with \"include\".");
  }
}

std::optional<PoolerInstance> read_instance(Mapping& item, const Playbook& playbook) {
  std::optional<Conninfo> admin;
  std::filesystem::path file;
  const ConninfoRules rules{true, true, playbook.tls};
  item.require("admin");
  item.scalar("admin", [&](const YamlNode& node) { admin = read_conninfo(item.faults(), node, rules); });
  item.require("file");
  item.scalar("file", [&](const YamlNode& node) { file = beside(playbook, node.text); });
  std::filesystem::path include = default_include(file, playbook.name);
  item.scalar("include", [&](const YamlNode& node) { include = beside(playbook, node.text); });
  item.close();
  if (!admin || file.empty()) return std::nullopt;
  return PoolerInstance{"", *admin, file, include};
}

void read_instances(Mapping& pooler, Playbook& playbook) {
  std::vector<PoolerInstance>& instances = playbook.pooler.instances;
  pooler.require("instances");
  const auto items = pooler.sequence("instances");
  if (pooler.has("instances") && items.empty())
    pooler.faults().add(pooler.place_of("instances"), "value", "\"pooler.instances\" names no pooler",
                        "Without a PgBouncer write driver: command, or none.");
  for (const YamlNode& node : items) {
    if (node.kind != YamlNode::Kind::mapping) {
      pooler.faults().add(node.place, "type", "an item of \"pooler.instances\" must be a mapping with admin and file");
      continue;
    }
    Mapping item(node, "pooler.instances[]", node.place, pooler.faults());
    const auto instance = read_instance(item, playbook);
    if (!instance) continue;
    if (instance->include == instance->file)
      pooler.faults().add(node.place, "value", "\"pooler.instances[].include\" names the main file");
    refuse_repeated(pooler.faults(), node.place, instances, *instance);
    instances.push_back(*instance);
  }
  name_instances(instances);
}

// others: the list in which none of them may stand as well.
std::vector<std::string> read_names(Mapping& pooler, const std::string& key, const std::vector<std::string>& others) {
  std::vector<std::string> names;
  const auto nodes = pooler.scalars(key);
  for (const YamlNode& node : nodes) {
    const auto refuse = [&](const std::string& why, const std::string& hint = {}) {
      pooler.faults().add(node.place, "value", fmt::format("\"{}\" {}", node.text, why), hint);
    };
    if (node.text.empty() || node.text == "*" || node.text == "pgbouncer") refuse("is not a database of the pooler");
    else if (std::ranges::find(names, node.text) != names.end()) refuse("stands twice");
    else if (std::ranges::find(others, node.text) != others.end())
      refuse("stands in \"pooler.databases\", too", "A name is for writers or for readers: readers may be led to green alone.");
    else names.push_back(node.text);
  }
  if (pooler.has(key) && nodes.empty())
    pooler.faults().add(pooler.place_of(key), "value", fmt::format("\"pooler.{}\" names no database", key));
  return names;
}

void read_databases(Mapping& pooler, Playbook& playbook) {
  pooler.require("databases");
  playbook.pooler.databases = read_names(pooler, "databases", {});
  playbook.pooler.reads = read_names(pooler, "reads", playbook.pooler.databases);
}

// False if the driver is not known: what else the section may hold depends on it.
bool read_driver(Mapping& pooler, std::string& driver) {
  if (!pooler.has("driver")) return true;
  return pooler.scalar("driver", [&](const YamlNode& node) {
    parse_choice(node.text, {"pgbouncer", "command", "none"});
    driver = node.text;
  });
}

void refuse_pooler_keys(Mapping& pooler, const std::vector<std::string>& keys, const std::string& driver) {
  for (const auto& key : keys) {
    if (!pooler.has(key)) continue;
    pooler.faults().add(pooler.place_of(key), "value",
                        fmt::format("\"pooler.{}\" means nothing with driver: {}", key, driver));
    pooler.find(key);
  }
}

void read_pause(Mapping& pooler, PoolerSettings& settings) {
  auto pause = pooler.mapping("pause");
  if (!pause) return;
  if (settings.driver == "command" && pause->has("timeout"))
    pause->faults().add(pause->place_of("timeout"), "value", "\"pooler.pause.timeout\" means nothing with driver: command",
                        "The command hold has a timeout of its own.");
  read_duration(*pause, "timeout", settings.pause_timeout, std::chrono::milliseconds{50}, std::chrono::minutes{10});
  pause->plain("attempts", [&](const std::string& text) {
    settings.attempts = static_cast<int>(parse_integer(text, {1, 100}));
  });
  read_duration(*pause, "backoff", settings.backoff, std::chrono::milliseconds{0}, std::chrono::hours{1});
  pause->close();
}

void read_waiver(Mapping& item, Waiver& waiver, std::chrono::sys_days today) {
  const auto text = [&](const std::string& key, std::string& into) {
    item.require(key);
    item.scalar(key, [&](const YamlNode& node) {
      if (node.text.empty()) throw misuse("value", fmt::format("\"{}\" is empty", key));
      into = node.text;
    });
  };
  text("id", waiver.id);
  text("reason", waiver.reason);
  item.require("until");
  item.scalar("until", [&](const YamlNode& node) {
    if (parse_date(node.text) < today) throw misuse("waiver-over", fmt::format("the waiver ran out on {}", node.text));
    waiver.until = node.text;
  });
  item.close();
}

}  // namespace

std::optional<Conninfo> read_conninfo(ConfigFaults& faults, const YamlNode& node, const ConninfoRules& rules) {
  std::vector<Error> found;
  auto conninfo = check_conninfo(node.text, rules, found);
  for (const Error& error : found) faults.add(node.place, error);
  return conninfo;
}

void read_clusters(Mapping& root, Playbook& playbook) {
  root.require("clusters");
  auto clusters = root.mapping("clusters");
  if (!clusters) return;
  read_choice(*clusters, "tls", tls_modes(), [&](std::size_t i) { playbook.tls = tls_modes()[i]; });
  const ConninfoRules rules{true, false, playbook.tls};
  ConninfoRules of_green = rules;
  of_green.is_partial = playbook.provision.is_command();
  clusters->require("blue");
  const auto blue = read_cluster(*clusters, "blue", rules);
  if (!of_green.is_partial) clusters->require("green");
  const auto green = read_cluster(*clusters, "green", of_green);
  refuse_equal(root.faults(), clusters->place_of("green"), blue, green, "blue and green are the same database");
  if (blue) playbook.blue = *blue;
  if (green) playbook.green = *green;
  clusters->close();
}

void read_replication_conninfo(Mapping& replication, Playbook& playbook) {
  replication.require("conninfo");
  auto mapping = replication.mapping("conninfo");
  if (!mapping) return;
  const ConninfoRules rules{false, false, playbook.tls};
  ConninfoRules of_green = rules;
  of_green.is_partial = playbook.provision.is_command();
  std::optional<Conninfo> to_blue;
  std::optional<Conninfo> to_green;
  mapping->require("to_blue");
  mapping->scalar("to_blue", [&](const YamlNode& node) { to_blue = read_conninfo(mapping->faults(), node, rules); });
  mapping->require("to_green");
  mapping->scalar("to_green", [&](const YamlNode& node) { to_green = read_conninfo(mapping->faults(), node, of_green); });
  refuse_equal(mapping->faults(), mapping->place_of("to_green"), to_blue, to_green,
               "to_blue and to_green lead to the same database");
  if (to_blue) playbook.replication.to_blue = *to_blue;
  if (to_green) playbook.replication.to_green = *to_green;
  mapping->close();
}

void read_pooler(Mapping& root, Playbook& playbook) {
  root.require("pooler");
  auto pooler = root.mapping("pooler");
  if (!pooler) return;
  pooler->refuse_unsupported({"session_pools"});
  if (read_driver(*pooler, playbook.pooler.driver)) {
    const std::string& driver = playbook.pooler.driver;
    if (driver == "none") {
      refuse_pooler_keys(*pooler, {"instances", "databases", "reads", "pause", "command"}, driver);
    } else if (driver == "command") {
      refuse_pooler_keys(*pooler, {"instances", "databases", "reads"}, driver);
      read_commands(*pooler, playbook.pooler.command);
      read_pause(*pooler, playbook.pooler);
    } else {
      refuse_pooler_keys(*pooler, {"command"}, driver);
      read_instances(*pooler, playbook);
      read_databases(*pooler, playbook);
      read_pause(*pooler, playbook.pooler);
    }
    pooler->close();
  }
}

void read_waivers(Mapping& root, Playbook& playbook, std::chrono::sys_days today) {
  for (const YamlNode& node : root.sequence("waivers")) {
    if (node.kind != YamlNode::Kind::mapping) {
      root.faults().add(node.place, "type", "an item of \"waivers\" must be a mapping with id, reason and until");
      continue;
    }
    Mapping item(node, "waivers[]", node.place, root.faults());
    Waiver waiver;
    read_waiver(item, waiver, today);
    const bool is_repeated = std::any_of(playbook.waivers.begin(), playbook.waivers.end(),
                                         [&](const Waiver& each) { return !each.id.empty() && each.id == waiver.id; });
    if (is_repeated) root.faults().add(node.place, "value", fmt::format("\"{}\" is waived twice", waiver.id));
    playbook.waivers.push_back(waiver);
  }
}

}  // namespace verdigris
