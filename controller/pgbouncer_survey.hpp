// What one PgBouncer process and its files say of the databases of a playbook, for people: what cannot be asked, or is not
// as it should be, is part of the answer. Changes nothing; any thread.
#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "controller/pgbouncer_console.hpp"
#include "controller/playbook.hpp"

namespace verdigris {

// Something that keeps a switch from using the process; empty id: nothing.
struct PoolerTrouble {
  std::string id, text, hint;
};

struct AliasSurvey {
  std::string alias;
  std::string defined_at;  // "/etc/pgbouncer/pgbouncer.ini:12"; empty if it cannot be told
  bool is_adopted = false;
  bool is_for_reads = false;  // the caller says it
  Endpoint in_file;
  PooledDatabase running;
  std::string pool_mode;  // the one that counts
  int clients = 0, waiting_clients = 0;
  PoolerTrouble trouble;
};

struct PoolerSurvey {
  std::string name, version;
  int pid = 0;  // 0 if it cannot be seen from here
  std::filesystem::path file, include;
  std::vector<AliasSurvey> aliases;
  PoolerTrouble trouble;  // of the process
  bool is_sound() const;
};

PoolerSurvey survey_pooler(const PoolerInstance& settings, const std::vector<std::string>& aliases, Deadline deadline);

}  // namespace verdigris
