// Clients of the shop, to see what a switch does to them: some through the pooler at a constant rate, and, if wanted,
// four beside it that go straight to blue and to green, as ordinary role and as superuser, about 20 writes a second and
// side. Each write that a server acknowledged is in the ledger. Runs threads of its own; ends them all before it
// returns.
#pragma once

#include <chrono>
#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

#include "controller/sandbox/interruption.hpp"
#include "controller/sandbox/sandbox_state.hpp"

namespace verdigris {

struct LoadOptions {
  int rate = 300;  // transactions per second through the pooler, all clients together
  int seconds = 30;
  int clients = 8;
  int first_writer = 1;  // of the pooled clients; two loads at once must not share any
  int slow_percent = 0;  // of the pooled transactions: so many stay open for 200 ms
  std::filesystem::path ledger;
  std::filesystem::path waits;  // gets each wait of a pooled client, in ms, one a line; empty: none
  bool has_direct_writers = true;
  std::chrono::milliseconds direct_rest{100};  // between two sessions of a direct writer, from the end of one
  // Other ways for the pooled clients than the pooler, each tried when a login on the one before it failed: libpq goes on
  // to the next of several hosts only if one does not answer, not if it refuses the login.
  std::vector<Conninfo> ways = {};
};

struct PooledTally {
  std::int64_t acknowledged = 0, unknown = 0, errors = 0;
  std::vector<std::string> error_texts;  // the first ten
  std::vector<float> waits_ms;           // from BEGIN to the answer of COMMIT
  double longest_wait_ms = 0;
  double longest_wait_at = 0;      // seconds after the start, when it began
  double longest_lateness_ms = 0;  // behind the schedule: how far a pause delays whoever comes after it
};

// Of the writers beside the pooler, per side.
struct DirectTally {
  std::int64_t acknowledged = 0, unknown = 0;
  std::int64_t refused = 0;      // by the server: no login, no privilege, the fence, no such table
  std::int64_t unreachable = 0;  // no server answered, or it is starting up
};

struct LoadSummary {
  double seconds = 0;
  PooledTally pooled;
  DirectTally blue, green;
};

LoadSummary run_load(const SandboxState& sandbox, const LoadOptions& options, Interruption& interruption);
// 0 <= quantile <= 1; 0 for no values. Sorts.
double quantile_of(std::vector<float>& values, double quantile);

}  // namespace verdigris
