#include "healthcheck/parity/sessions.hpp"

#include <functional>
#include <future>

#include "healthcheck/parity/probe.hpp"
#include "healthcheck/parity/scan.hpp"
#include "replication/test_switches.hpp"

namespace verdigris {
namespace {

Connection open_worker(const Server& server, Deadline deadline) {
  return open_parity_session(server, "parity", true, {{"work_mem", "64MB"}, {"max_parallel_workers_per_gather", "0"}}, deadline);
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

// parity.md section 4.
Connection open_parity_session(const Server& server, const std::string& role, bool is_read_only,
                               const std::vector<std::pair<std::string, std::string>>& settings, Deadline deadline) {
  std::vector<std::pair<std::string, std::string>> all = {{"xmlbinary", "base64"},
                                                          {"xmloption", "content"},
                                                          {"lc_monetary", "C"},
                                                          {"synchronize_seqscans", "off"}};
  all.insert(all.end(), settings.begin(), settings.end());
  Connection session = server.open(role, deadline, is_read_only, all);
  // A scan whose controller is gone ends within a second, instead of reading the table to its end for nobody.
  if (session.major() >= 14) session.execute(Sql("SET client_connection_check_interval = '1s'"), deadline);
  return session;
}

ParitySessions::ParitySessions(Server& source, Server& target, int workers, Deadline deadline,
                               const TableSelection& filter, Warmth warmth) {
  const auto open_and_read = [&](const Server& server, SideSessions& side) {
    side = open_side(server, workers, deadline);
    // The fingerprint first: a change in between is then found later, not missed.
    side.fingerprint = catalog_fingerprint(side.workers.front(), deadline);
    return read_catalog(side.workers.front(), side.color, deadline);
  };
  auto other = std::async(std::launch::async, open_and_read, std::cref(target), std::ref(target_));
  const SideCatalog ours = open_and_read(source, source_);
  const SideCatalog theirs = other.get();
  hashes_ = probe_hashes(source_.workers.front(), target_.workers.front(), deadline);
  agreement_ = agree(ours, theirs, hashes_, filter);
  if (warmth == Warmth::warm) warm(deadline);
}

void ParitySessions::require_same_catalogs(Deadline deadline) {
  if (is_mutant("coverage_before_window_alone")) return;
  auto other = std::async(std::launch::async, [&] { require_same_catalog(source_, deadline); });
  require_same_catalog(target_, deadline);
  other.get();
}

void ParitySessions::warm(Deadline deadline) {
  auto other = std::async(std::launch::async, [&] {
    for (auto& session : target_.workers) warm_session(session, *this, false, deadline);
  });
  for (auto& session : source_.workers) warm_session(session, *this, true, deadline);
  other.get();
}

void ParitySessions::close() {
  for (auto& session : source_.workers) session.close();
  for (auto& session : target_.workers) session.close();
}

}  // namespace verdigris
