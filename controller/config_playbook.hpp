// From the nodes of a playbook to its values: one function per section. Complaints go to the faults of the mapping.
#pragma once

#include <chrono>

#include "controller/config_mapping.hpp"
#include "controller/playbook.hpp"

namespace verdigris {

void read_playbook(Mapping& root, Playbook& playbook, std::chrono::sys_days today);

// The sections that need more than a few lines.
void read_clusters(Mapping& root, Playbook& playbook);
void read_replication_conninfo(Mapping& replication, Playbook& playbook);
void read_pooler(Mapping& root, Playbook& playbook);
void read_commands(Mapping& pooler, TrafficCommands& into);
// Behind clusters and replication: how green is reached says where it has to listen.
void read_provision(Mapping& root, Playbook& playbook);
void check_reach_of_green(Mapping& root, const Playbook& playbook);  // behind the sections that say it
void read_waivers(Mapping& root, Playbook& playbook, std::chrono::sys_days today);

// Small readers, shared by the sections.
void read_choice(Mapping& mapping, const std::string& key, const std::vector<std::string>& choices,
                 const std::function<void(std::size_t)>& take);
void read_duration(Mapping& mapping, const std::string& key, std::chrono::milliseconds& into,
                   std::chrono::milliseconds smallest, std::chrono::milliseconds largest);
std::optional<Conninfo> read_conninfo(ConfigFaults& faults, const YamlNode& node, const struct ConninfoRules& rules);
std::filesystem::path beside(const Playbook& playbook, const std::string& written);

}  // namespace verdigris
