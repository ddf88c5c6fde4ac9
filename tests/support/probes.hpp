// Who takes writes, seen by clients (faults I2): two writers straight to blue and to green, as an ordinary role, on
// sessions that are kept open and made anew once ended or refused. Each write that was acknowledged is known with the
// time it was sent and the time its answer came, by one clock, and stands in the Shop's ledger as any client's. A
// thread each, ended by the destructor; the ledger is complete from then on. Sessions that never leave want a playbook
// that says fence.bypass: terminate.
#pragma once

#include <atomic>
#include <chrono>
#include <mutex>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include "controller/sandbox/ledger_file.hpp"
#include "replication/connection.hpp"
#include "tests/support/catalog_probe.hpp"

namespace verdigris::test {

class Shop;

struct ProbeWrite {
  std::chrono::steady_clock::time_point sent, acknowledged;
};

// "" if both lists can be of a turn: the one side took writes, and then the other. A write was taken somewhere between
// its two times, so one of the old side that was sent after the new side had acknowledged one shows that both took
// them.
std::string overlap(const std::vector<ProbeWrite>& old_side, const std::vector<ProbeWrite>& new_side);

// One such writer, to anywhere.
class ProbeWriter {
 public:
  ProbeWriter(LedgerFile& ledger, Conninfo through, int writer);
  ~ProbeWriter();
  // Acknowledged since the last call; none is under way.
  std::vector<ProbeWrite> take();
  // False if the deadline passes before a write that is sent from now on is acknowledged.
  bool wait_for_write(Deadline deadline);

 private:
  void run();
  bool write();
  void login();

  const Conninfo through_;
  const int writer_;
  std::int64_t n_;
  LedgerBuffer ledger_;
  std::optional<Connection> session_;
  std::mutex mutex_;  // held from sending to noting
  std::vector<ProbeWrite> writes_;
  std::atomic<bool> is_over_ = false;
  std::thread thread_;
};

class Probes {
 public:
  // Of a shop at rest, where one side serves.
  explicit Probes(Shop& shop);
  // Of a shop at rest again: since the last call there was at most one turn, to `serving`. "" or how it was not so:
  // both sides took writes, one that was never to serve did, `serving` takes none, or catalogs say that both were open.
  std::string contradiction(const std::string& serving);
  // A third writer, through a pooler: it is in the ledger, and nothing is said of it.
  void add(const Conninfo& through);

 private:
  std::string contradiction_of_writers(const std::string& serving);

  LedgerFile ledger_;
  std::string serving_;
  ProbeWriter blue_, green_;
  std::optional<ProbeWriter> pooled_;
  CatalogProbe catalogs_;
};

// For the playbook: sessions past the pooler are ended behind the fence instead of waited for.
void end_direct_sessions(Shop& shop);

}  // namespace verdigris::test
