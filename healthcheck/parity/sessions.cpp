#include "healthcheck/parity/sessions.hpp"

#include <future>

#include "healthcheck/parity/probe.hpp"
#include "healthcheck/parity/scan.hpp"
#include "replication/test_switches.hpp"

namespace verdigris {
namespace {

// parity.md section 4: what Connection pins for all sessions, and what the text of values depends on besides.
Connection open_worker(const Server& server, Deadline deadline) {
  Connection worker = server.open("parity", deadline, true,
                                  {{"xmlbinary", "base64"},
                                   {"xmloption", "content"},
                                   {"lc_monetary", "C"},
                                   {"work_mem", "64MB"},
                                   {"max_parallel_workers_per_gather", "0"},
                                   {"synchronize_seqscans", "off"}});
  // A scan whose controller is gone ends within a second, instead of reading the table to its end for nobody.
  if (worker.major() >= 14) worker.execute(Sql("SET client_connection_check_interval = '1s'"), deadline);
  return worker;
}

SideSessions open_side(const Server& server, int workers, Deadline deadline) {
  SideSessions side{server.color(), {}, {}};
  for (int i = 0; i < workers; ++i) side.workers.push_back(open_worker(server, deadline));
  return side;
}

void require_same_catalog(SideSessions& side, Deadline deadline) {
  if (catalog_fingerprint(side.workers.front(), deadline) == side.fingerprint) return;
  throw Refused("schema.drift", side.color + ": tables, columns or sequences have changed since they were read",
                "Run the command again.");
}

void warm_session(Connection& session, const ParitySessions& sessions, bool is_source, Deadline deadline) {
  for (const auto& table : sessions.agreement().tables) {
    const auto bytes = is_source ? table.source_bytes : table.target_bytes;
    const auto scans = scan_statements(table, bytes, session.major(), sessions.hashes(), CompareMode::full);
    session.execute(Sql("EXPLAIN {}", scans.front()), deadline);
  }
}

}  // namespace

ParitySessions::ParitySessions(Server& source, Server& target, int workers, Deadline deadline,
                               const TableSelection& filter)
    : source_(open_side(source, workers, deadline)), target_(open_side(target, workers, deadline)) {
  Connection& on_source = source_.workers.front();
  Connection& on_target = target_.workers.front();
  // The fingerprints first: a change in between is then found later, not missed.
  source_.fingerprint = catalog_fingerprint(on_source, deadline);
  target_.fingerprint = catalog_fingerprint(on_target, deadline);
  hashes_ = probe_hashes(on_source, on_target, deadline);
  agreement_ = agree(read_catalog(on_source, source_.color, deadline), read_catalog(on_target, target_.color, deadline),
                     hashes_, filter);
  warm(deadline);
}

void ParitySessions::require_same_catalogs(Deadline deadline) {
  if (is_mutant("coverage_before_window_alone")) return;
  auto other = std::async(std::launch::async, [&] { require_same_catalog(source_, deadline); });
  require_same_catalog(target_, deadline);
  other.get();
}

void ParitySessions::warm(Deadline deadline) {
  for (auto& session : source_.workers) warm_session(session, *this, true, deadline);
  for (auto& session : target_.workers) warm_session(session, *this, false, deadline);
}

void ParitySessions::close() {
  for (auto& session : source_.workers) session.close();
  for (auto& session : target_.workers) session.close();
}

}  // namespace verdigris
