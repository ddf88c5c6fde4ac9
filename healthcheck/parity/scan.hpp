// Reads tables on both sides over all sessions at once: each side works through its own list, longest first, and
// neither waits for the other. Big tables are read in ranges of blocks (14 and later), whose sums add up.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "healthcheck/parity/parity.hpp"
#include "healthcheck/parity/sessions.hpp"
#include "replication/sql.hpp"

namespace verdigris {

__extension__ using WideInteger = __int128;  // a sum of 2^63 hashes of 64 bits fits

struct TableSum {
  std::int64_t rows = 0;
  WideInteger hash = 0;
  bool operator==(const TableSum&) const = default;
};

struct SumPair {
  TableSum source;
  TableSum target;
};

// The statements that together read one table on a server of this major: one, or one per range of blocks.
std::vector<Sql> scan_statements(const ComparedTable& table, std::int64_t bytes, int major, const HashAgreement& hashes,
                                 CompareMode mode);

// Where the sessions stand: in no transaction, or under an imported snapshot behind SAVEPOINT scan. To that they go back
// before each statement, which ends the locks of the one before: ALTER TABLE or TRUNCATE on either side, and with it all
// writers of the table, would else wait for the end of the whole comparison.
enum class ScanUnder { nothing, snapshot };

// Sums of the tables with these indexes in the agreement, in their order.
std::vector<SumPair> scan_tables(ParitySessions& sessions, const std::vector<std::size_t>& tables, CompareMode mode,
                                 ScanUnder under, Deadline deadline);

}  // namespace verdigris
