// The section provision of a playbook: whether green is there, or made on this machine, and with which settings.
#include <fmt/format.h>

#include <algorithm>
#include <array>

#include "controller/config_playbook.hpp"
#include "controller/config_values.hpp"
#include "replication/errors.hpp"

namespace verdigris {
namespace {

const std::vector<std::string> kOfInitdb{"data_directory", "bindir", "user", "settings", "load_profile"};

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

// Words of the design that ask for behaviour this version does not have.
bool is_initdb_word(const std::string& word) {
  if (word == "physical" || word == "command")
    throw misuse("unsupported-value",
                 fmt::format("\"{}\" is not supported yet; only \"existing\" and \"initdb\" are", word),
                 "Make green yourself and write green: existing.");
  return parse_choice(word, {"existing", "initdb"}) == 1;
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

// A service file is libpq's to read: before there is a server nobody can say what it leads to.
void check_reachable(Mapping& provision, const Playbook& playbook) {
  const auto refuse = [&](const std::string& key) {
    provision.faults().add(provision.place_of("green"), "value",
                           fmt::format("\"provision.green: initdb\" needs host and user in \"{}\"", key),
                           "Write a conninfo there instead of a service: green is made to listen where it leads.");
  };
  const auto is_told = [](const Conninfo& conninfo) {
    return (conninfo.has("host") || conninfo.has("hostaddr")) && conninfo.has("user");
  };
  if (!is_told(playbook.green)) refuse("clusters.green");
  if (!is_told(playbook.replication.to_green)) refuse("replication.conninfo.to_green");
}

}  // namespace

void read_provision(Mapping& root, Playbook& playbook) {
  auto provision = root.mapping("provision");
  if (!provision) return;
  ProvisionSettings& into = playbook.provision;
  const bool is_known = !provision->has("green") || provision->scalar("green", [&](const YamlNode& node) {
    into.is_initdb = is_initdb_word(node.text);
  });
  if (!is_known) return;  // what else may stand here depends on it
  if (!into.is_initdb) {
    for (const auto& key : kOfInitdb) {
      if (provision->has(key))
        provision->faults().add(provision->place_of(key), "value",
                                fmt::format("\"provision.{}\" means nothing with green: existing", key));
      provision->find(key);
    }
    return provision->close();
  }
  read_directory(*provision, "data_directory", into.data_directory);
  read_directory(*provision, "bindir", into.bindir);
  provision->scalar("user", [&](const YamlNode& node) {
    if (node.text.empty() || node.text == "root")
      throw misuse("value", fmt::format("\"{}\" cannot run PostgreSQL", node.text),
                   "Name an unprivileged user of this machine.");
    into.user = node.text;
  });
  read_settings(*provision, into);
  read_choice(*provision, "load_profile", {"full", "keep-fsync", "off"},
              [&](std::size_t i) { into.load_profile = static_cast<LoadProfile>(i); });
  check_reachable(*provision, playbook);
  provision->close();
}

}  // namespace verdigris
