// The texts of the files that make a new cluster green: its settings, those it is loaded with, and who may log in.
// Nothing is written here. Any thread.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "controller/playbook.hpp"
#include "controller/provision/reach.hpp"
#include "controller/provision/source_facts.hpp"

namespace verdigris {

// Beside postgresql.conf, which includes both, the second last: what it says wins while it is there.
inline constexpr const char* kProductionFile = "verdigris.conf";
inline constexpr const char* kLoadFile = "verdigris.load.conf";

std::string including_lines();
std::string production_settings(const Reach& reach, const SourceFacts& blue, const ProvisionSettings& settings);

struct Machine {
  std::int64_t memory_bytes = 0, free_disk_bytes = 0;
};
// As this process meets it: a limit of its control group counts as memory. disk: of the file system of that directory.
Machine machine_of(const std::filesystem::path& directory);

// Empty for LoadProfile::off. major: of green.
std::string load_settings(LoadProfile profile, int major, const Machine& machine);

// Of a copy of blue that is recovered up to that position of blue's log and not one record further, and then becomes a
// server of its own. Nobody gets in before, and nothing of blue's work (subscriptions, archive) is done there.
std::string recovery_settings(const std::string& to_blue, const std::string& slot, const std::string& end, bool is_exclusive);
// What initdb would have written, as on blue.
std::string locale_settings(const SourceFacts& blue);

struct LoginRules {
  std::string superuser, replication;
  bool has_replication_password = false;  // else it comes from a process of the server's own user, or not at all
  bool has_tls = false;                   // the settings say ssl = on
};
// While green is loaded nobody but the controller gets in (copy.md section 2). Local sessions of the superuser are
// known by the user of the machine they come from, all others by a password.
std::string login_rules(const LoginRules& rules, const Reach& reach, bool is_loading);
// Who of the machine may be whom: the user that runs verdigris and the one that runs the server.
std::string user_map(const LoginRules& rules, const std::vector<std::string>& machine_users);

}  // namespace verdigris
