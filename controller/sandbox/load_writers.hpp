// The threads' bodies of load.hpp: one client through the pooler, one writer beside it. Each object belongs to one
// thread; `is_over` is the only thing shared besides the ledger file.
#pragma once

#include <atomic>
#include <optional>

#include "controller/sandbox/ledger_file.hpp"
#include "controller/sandbox/load.hpp"
#include "replication/connection.hpp"

namespace verdigris {

// A write of the ledger, a transaction by itself: $1 who, $2 the number of the write; its sequence value comes back.
Sql ledger_write();
// A later load continues above an earlier one, so that the same numbers never come twice.
std::int64_t first_number_now();

struct LoadContext {
  const SandboxState& sandbox;
  const LoadOptions& options;
  LedgerFile& ledger;
  std::chrono::steady_clock::time_point start;
  std::int64_t first_number;  // of each writer's writes
  const std::atomic<bool>& is_over;
};

class PooledClient {
 public:
  PooledClient(const LoadContext& context, int writer);
  void run();
  PooledTally tally;

 private:
  void wait_until(std::chrono::steady_clock::time_point when) const;
  void connect();
  void write();
  void note_error(const std::string& text);
  void note_wait(std::chrono::steady_clock::time_point began);

  const LoadContext& context_;
  int writer_;
  std::int64_t n_;
  std::size_t way_ = 0;
  LedgerBuffer ledger_;
  std::vector<Sql> business_;
  std::optional<Connection> session_;
};

// One to green starts when green has its fence: before that, green is being filled and nobody's to write to.
class DirectWriter {
 public:
  DirectWriter(const LoadContext& context, const SandboxServer& server, int writer, bool waits_for_fence);
  void run();
  DirectTally tally;

 private:
  bool has_fence() const;
  void write();

  const LoadContext& context_;
  const SandboxServer& server_;
  int writer_;
  bool waits_for_fence_;
  std::int64_t n_;
  LedgerBuffer ledger_;
};

}  // namespace verdigris
