#include "healthcheck/questions.hpp"

namespace verdigris::questions {

// The server's own hard stop loses the slot, and with it the deployment; ours should warn before.
Findings slot_wal(const CheckContext& context) {
  Findings findings;
  for (Server* server : context.both()) {
    const Result answer = server->control().query(
        Sql("SELECT setting::int8 FROM pg_settings WHERE name = 'max_slot_wal_keep_size'"), context.deadline);
    const std::int64_t limit_mb = answer.one_row(1).integer(0);
    if (limit_mb < 0 || limit_mb * 1024 * 1024 >= context.settings.max_slot_wal_bytes) continue;
    findings.push_back(warn("limits.slot-wal",
                            server->color() + ": max_slot_wal_keep_size is " + std::to_string(limit_mb) +
                                " MB, below replication.max_slot_wal: the server drops the slot before it is missed",
                            "Raise max_slot_wal_keep_size (a reload is enough) or lower replication.max_slot_wal."));
  }
  if (findings.empty()) findings.push_back(pass("limits.slot-wal", "the servers keep what the budget allows"));
  return findings;
}

}  // namespace verdigris::questions
