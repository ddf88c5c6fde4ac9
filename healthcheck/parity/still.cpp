#include <numeric>

#include "healthcheck/parity/parity.hpp"
#include "healthcheck/parity/scan.hpp"
#include "healthcheck/parity/verdicts.hpp"

namespace verdigris {

ParityReport compare_still(ParitySessions& sessions, Deadline deadline) {
  sessions.require_same_catalogs(deadline);
  const Result answer = sessions.source().workers.front().query(Sql("SELECT pg_current_wal_insert_lsn()"), deadline);
  std::vector<std::size_t> all(sessions.agreement().tables.size());
  std::iota(all.begin(), all.end(), std::size_t{0});
  return make_report(sessions.agreement(), scan_tables(sessions, all, CompareMode::full, ScanUnder::nothing, deadline),
                     answer.one_row(1).lsn(0));
}

}  // namespace verdigris
