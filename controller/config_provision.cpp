// The section provision of a playbook: whether green is there, or made on this machine, and with which settings.
#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <set>

#include "controller/config_playbook.hpp"
#include "controller/config_values.hpp"
#include "replication/errors.hpp"

namespace verdigris {
namespace {

struct WordAndKeys {
  std::string word;
  std::vector<std::string> keys;
};
// In the order of GreenOrigin.
const std::vector<WordAndKeys> kOrigins{{"existing", {}},
                                        {"initdb", {"data_directory", "bindir", "user", "settings", "load_profile"}},
                                        {"command", {"argv", "timeout", "drop"}},
                                        {"physical", {"data_directory", "bindir", "user", "settings"}}};

// What follows from how green is reached, what a switch and a crash depend on, and what would lead out of the
// directory.
bool is_set_by_us(const std::string& name) {
  static constexpr std::array<std::string_view, 15> kOurs{"port",
                                                          "listen_addresses",
                                                          "unix_socket_directories",
                                                          "wal_level",
                                                          "fsync",
                                                          "full_page_writes",
                                                          "autovacuum",
                                                          "data_directory",
                                                          "config_file",
                                                          "hba_file",
                                                          "ident_file",
                                                          "external_pid_file",
                                                          "include",
                                                          "include_dir",
                                                          "include_if_exists"};
  return std::ranges::find(kOurs, name) != kOurs.end();
}

bool is_name_of_setting(const std::string& name) {
  const auto is_allowed = [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '_' || c == '.';
  };
  return !name.empty() && name[0] >= 'a' && name[0] <= 'z' && std::ranges::all_of(name, is_allowed);
}

GreenOrigin origin_of(const std::string& word) {
  std::vector<std::string> words;
  for (const auto& one : kOrigins) words.push_back(one.word);
  return static_cast<GreenOrigin>(parse_choice(word, words));
}

std::filesystem::path absolute_directory(const std::string& written) {
  const auto path = std::filesystem::path(written).lexically_normal();
  if (!written.starts_with('/') || !path.has_relative_path())
    throw misuse("value", fmt::format("\"{}\" is not the absolute path of a directory", written));
  return path.has_filename() ? path : path.parent_path();
}

void read_directory(Mapping& provision, const std::string& key, std::filesystem::path& into) {
  provision.require(key);
  provision.scalar(key, [&](const YamlNode& node) { into = absolute_directory(node.text); });
}

void read_setting(Mapping& settings, const std::string& name, ProvisionSettings& into) {
  settings.scalar(name, [&](const YamlNode& node) {
    if (!is_name_of_setting(name)) throw misuse("value", fmt::format("\"{}\" is not the name of a setting", name));
    if (is_set_by_us(name))
      throw misuse("value", fmt::format("\"{}\" is set by verdigris", name),
                   "Where green listens follows from clusters.green and replication.conninfo.to_green.");
    if (node.text.find('\n') != std::string::npos)
      throw misuse("value", fmt::format("\"{}\" has more than one line", name));
    into.settings.emplace_back(name, node.text);
  });
}

void read_settings(Mapping& provision, ProvisionSettings& into) {
  auto settings = provision.mapping("settings");
  if (!settings) return;
  for (const auto& name : settings->keys()) read_setting(*settings, name, into);
  settings->close();
}

// The program's path and what it is given, and how long it may take.
CommandLine read_program(Mapping& mapping) {
  CommandLine line;
  const YamlNode* list = mapping.require("argv");
  const auto nodes = mapping.scalars("argv");
  for (const YamlNode& node : nodes) line.argv.push_back(node.text);
  if (!nodes.empty() && !nodes.front().text.starts_with('/'))
    mapping.faults().add(nodes.front().place, "value",
                         fmt::format("\"{}\" is not the absolute path of a program", nodes.front().text),
                         "No shell and no PATH is asked.");
  if (list != nullptr && list->kind == YamlNode::Kind::sequence && list->items.empty())
    mapping.faults().add(mapping.place_of("argv"), "value", fmt::format("\"{}\" names no program", mapping.name_of("argv")));
  mapping.require("timeout");
  read_duration(mapping, "timeout", line.timeout, std::chrono::seconds{1}, std::chrono::hours{24});
  return line;
}

void read_command(Mapping& provision, ProvisionSettings& into) {
  into.make = read_program(provision);
  auto drop = provision.mapping("drop");
  if (!drop) return;
  into.drop = read_program(*drop);
  drop->close();
}

void read_made_here(Mapping& provision, ProvisionSettings& into) {
  read_directory(provision, "data_directory", into.data_directory);
  read_directory(provision, "bindir", into.bindir);
  provision.scalar("user", [&](const YamlNode& node) {
    if (node.text.empty() || node.text == "root")
      throw misuse("value", fmt::format("\"{}\" cannot run PostgreSQL", node.text),
                   "Name an unprivileged user of this machine.");
    into.user = node.text;
  });
  read_settings(provision, into);
  if (into.is_physical()) return;
  read_choice(provision, "load_profile", {"full", "keep-fsync", "off"},
              [&](std::size_t i) { into.load_profile = static_cast<LoadProfile>(i); });
}

void refuse_keys_of_others(Mapping& provision, GreenOrigin origin) {
  const auto& ours = kOrigins.at(static_cast<std::size_t>(origin));
  std::set<std::string> asked;  // initdb and physical share some
  for (const auto& other : kOrigins) {
    for (const auto& key : other.keys) {
      if (std::ranges::find(ours.keys, key) != ours.keys.end() || !asked.insert(key).second) continue;
      if (provision.has(key))
        provision.faults().add(provision.place_of(key), "value",
                               fmt::format("\"provision.{}\" means nothing with green: {}", key, ours.word));
      provision.find(key);
    }
  }
}

}  // namespace

void read_provision(Mapping& root, Playbook& playbook) {
  auto provision = root.mapping("provision");
  if (!provision) return;
  ProvisionSettings& into = playbook.provision;
  const bool is_known = !provision->has("green") || provision->scalar("green", [&](const YamlNode& node) {
    into.origin = origin_of(node.text);
  });
  if (!is_known) return;  // what else may stand here depends on it
  refuse_keys_of_others(*provision, into.origin);
  if (into.is_made_here()) read_made_here(*provision, into);
  if (into.is_command()) read_command(*provision, into);
  provision->close();
}

// A service file is libpq's to read: before there is a server nobody can say what it leads to.
void check_reach_of_green(Mapping& root, const Playbook& playbook) {
  if (playbook.provision.origin == GreenOrigin::existing) return;
  auto provision = root.mapping("provision");
  const auto refuse = [&](const std::string& text, const std::string& hint) {
    provision->faults().add(provision->place_of("green"), "value", text, hint);
  };
  const auto is_told = [](const Conninfo& conninfo) {
    return (conninfo.has("host") || conninfo.has("hostaddr")) && conninfo.has("user");
  };
  const auto& to_green = playbook.replication.to_green;
  if (playbook.provision.is_command()) {
    if (!to_green.has("user") && !to_green.has("service"))
      refuse("\"provision.green: command\" needs user in \"replication.conninfo.to_green\"",
             "The program says where green is; as whom blue logs in there is the playbook's to say.");
    return;
  }
  const std::string& word = kOrigins.at(static_cast<std::size_t>(playbook.provision.origin)).word;
  const auto refuse_place = [&](const std::string& key) {
    refuse(fmt::format("\"provision.green: {}\" needs host and user in \"{}\"", word, key),
           "Write a conninfo there instead of a service: green is made to listen where it leads.");
  };
  if (!is_told(playbook.green)) refuse_place("clusters.green");
  if (!is_told(to_green)) refuse_place("replication.conninfo.to_green");
}

}  // namespace verdigris
