#include "controller/provision/server_files.hpp"

#include <fmt/format.h>
#include <fmt/ranges.h>
#include <unistd.h>

#include <algorithm>
#include <fstream>

#include "replication/errors.hpp"

namespace verdigris {
namespace {

constexpr std::int64_t kMebibyte = std::int64_t{1} << 20;

// A backslash is an escape in these files, too.
std::string conf_line(const std::string& name, const std::string& value) {
  std::string quoted;
  for (const char c : value) {
    if (c == '\'' || c == '\\') quoted += c;
    quoted += c;
  }
  return name + " = '" + quoted + "'\n";
}

// unix_socket_directories is a list of its own: names may hold commas.
std::string quoted_list(const std::vector<std::string>& items) {
  std::vector<std::string> quoted;
  for (const auto& item : items) {
    std::string name = "\"";
    for (const char c : item) name += c == '"' ? std::string("\"\"") : std::string(1, c);
    quoted.push_back(name + "\"");
  }
  return fmt::format("{}", fmt::join(quoted, ", "));
}

// In pg_hba.conf and pg_ident.conf: in quotes no word has a meaning of its own.
std::string quoted_name(const std::string& name) {
  if (name.find('\n') != std::string::npos)
    throw Refused("provision.role", "a role whose name has more than one line cannot stand in green's pg_hba.conf",
                  "Name another user in the playbook.");
  return quoted_list({name});
}

std::string megabytes(std::int64_t bytes) {
  return std::to_string(std::max<std::int64_t>(1, bytes / kMebibyte)) + "MB";
}

std::int64_t limit_of_group() {
  std::ifstream file("/sys/fs/cgroup/memory.max");
  std::int64_t bytes = 0;
  return file >> bytes ? bytes : 0;  // "max", or no such file
}

std::string remote_rules(const LoginRules& rules, const Reach& reach, bool is_loading) {
  if (reach.addresses.empty()) return {};
  const std::string who = is_loading ? quoted_name(rules.superuser) : "all";
  const std::string from = reach.is_loopback_only ? "samehost" : "all";
  return fmt::format("{} all {} {} scram-sha-256\n", rules.has_tls ? "hostssl" : "host", who, from);
}

}  // namespace

std::string including_lines() {
  return fmt::format("\n# by verdigris\ninclude_if_exists = '{}'\ninclude_if_exists = '{}'\n", kProductionFile,
                     kLoadFile);
}

std::string production_settings(const Reach& reach, const SourceFacts& blue, const ProvisionSettings& settings) {
  std::string text = "# Written by verdigris prepare. What stands below \"provision.settings\" is the playbook's.\n";
  text += conf_line("port", reach.port) +
          conf_line("listen_addresses", fmt::format("{}", fmt::join(reach.addresses, ", "))) +
          conf_line("unix_socket_directories", quoted_list(reach.sockets)) + conf_line("wal_level", "logical") +
          conf_line("max_wal_senders", "10") + conf_line("max_replication_slots", "10") +
          conf_line("max_logical_replication_workers", "8") + conf_line("max_worker_processes", "16") +
          conf_line("password_encryption", "scram-sha-256");
  text += "# no lower than on blue\n" + conf_line("max_connections", blue.max_connections) +
          conf_line("max_locks_per_transaction", blue.max_locks) +
          conf_line("max_prepared_transactions", blue.max_prepared);
  if (!blue.timezone.empty()) text += "# as on blue\n" + conf_line("timezone", blue.timezone);
  text += "# provision.settings\n";
  for (const auto& [name, value] : settings.settings) text += conf_line(name, value);
  return text;
}

Machine machine_of(const std::filesystem::path& directory) {
  const auto all = static_cast<std::int64_t>(::sysconf(_SC_PHYS_PAGES)) * ::sysconf(_SC_PAGESIZE);
  const auto group = limit_of_group();
  std::error_code unknown;
  const auto disk = std::filesystem::space(directory, unknown);
  return {group > 0 ? std::min(all, group) : all, unknown ? 0 : static_cast<std::int64_t>(disk.available)};
}

// max_wal_size: what of WAL there is all the same must not fill the disk that the data needs. restart_after_crash: a
// server that mends itself would look as if nothing had happened. shared_buffers, maintenance_work_mem: COPY and index
// builds go through rings of a few MB and sort in runs; more only costs the touching of more memory (measured: 6 GB made
// an index of 5 million rows take twice as long).
std::string load_settings(LoadProfile profile, int major, const Machine& machine) {
  if (profile == LoadProfile::off) return {};
  constexpr std::int64_t kLeast = 1024 * kMebibyte, kMost = 65'536 * kMebibyte;
  constexpr std::int64_t kMostBuffers = 128 * kMebibyte, kMostWork = 256 * kMebibyte;
  std::string text =
      "# Written by verdigris prepare, and removed by it: green is only filled with these, never served.\n";
  text +=
      "wal_level = minimal\nmax_wal_senders = 0\narchive_mode = off\nsynchronous_commit = off\nwal_skip_threshold = 0\n"
      "checkpoint_timeout = 1d\nautovacuum = off\njit = off\n";
  text += conf_line("max_wal_size", megabytes(std::clamp(machine.free_disk_bytes / 4, kLeast, kMost)));
  text += conf_line("shared_buffers", megabytes(std::min(machine.memory_bytes / 4, kMostBuffers)));
  text += conf_line("maintenance_work_mem", megabytes(std::min(machine.memory_bytes / 16, kMostWork)));
  if (major >= 17) text += "summarize_wal = off\n";  // it cannot be on without WAL to summarize
  if (profile == LoadProfile::full) text += "fsync = off\nfull_page_writes = off\nrestart_after_crash = off\n";
  return text;
}

// Inclusive it would take the commit at that position, which the stream sends, too. hot_standby: a standby that lets people
// in refuses limits lower than its primary's.
std::string recovery_settings(const std::string& to_blue, const std::string& slot, const std::string& end, bool is_exclusive) {
  return "# Written by verdigris prepare, and removed by it: until green is a server of its own.\n"
         "hot_standby = off\nmax_logical_replication_workers = 0\narchive_mode = off\nautovacuum = off\n"
         "recovery_target_timeline = current\nrecovery_target_action = promote\n" +
         conf_line("recovery_target_inclusive", is_exclusive ? "off" : "on") + conf_line("recovery_target_lsn", end) +
         conf_line("primary_conninfo", to_blue) + conf_line("primary_slot_name", slot);
}

std::string locale_settings(const SourceFacts& blue) {
  return "# by verdigris, as on blue\n" + conf_line("lc_monetary", blue.monetary) + conf_line("lc_numeric", blue.numeric) +
         conf_line("lc_time", blue.time) + conf_line("default_text_search_config", blue.text_search);
}

std::string login_rules(const LoginRules& rules, const Reach& reach, bool is_loading) {
  std::string text = "# Written by verdigris prepare.\n";
  text += "local all " + quoted_name(rules.superuser) + " peer map=verdigris\n";
  if (!is_loading) {
    text += "local all " + quoted_name(rules.replication) +
            (rules.has_replication_password ? " scram-sha-256\n" : " peer map=verdigris\n");
    text += "local all all scram-sha-256\n";
  }
  return text + remote_rules(rules, reach, is_loading);
}

std::string user_map(const LoginRules& rules, const std::vector<std::string>& machine_users) {
  std::string text = "# Written by verdigris prepare: map, user of the machine, role.\n";
  for (const auto& user : machine_users)
    for (const auto& role : {rules.superuser, rules.replication})
      text += fmt::format("verdigris {} {}\n", quoted_name(user), quoted_name(role));
  return text;
}

}  // namespace verdigris
