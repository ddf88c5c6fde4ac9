// Many small tables all alike, in which only their number weighs: the ledger's three, the rest items of 20 rows. Each
// has an identity column. The same number gives the same rows, so that both sides can be filled without a copy.
#pragma once

#include "replication/conninfo.hpp"
#include "replication/deadline.hpp"

namespace verdigris::bench {

inline constexpr int kLedgerTables = 3;

// Needs the roles of the sandbox (app_owner, app). Everything belongs to app_owner. Ends with VACUUM (ANALYZE).
void create_items(const Conninfo& superuser, int tables, Deadline deadline);

}  // namespace verdigris::bench
