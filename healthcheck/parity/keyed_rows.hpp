// Single rows of a table, asked for by their key: by its index, never by reading the table. Keys are the text of their
// columns as sessions with pinned settings (sessions.hpp) print it, so that those of both sides can be compared. Both
// sides are asked in one way; what a side does not have is not in its answer. Stateless.
#pragma once

#include <map>
#include <span>
#include <string>
#include <vector>

#include "healthcheck/parity/agreement.hpp"
#include "replication/connection.hpp"
#include "replication/server.hpp"

namespace verdigris {

using RowKey = std::vector<std::string>;           // one text per column of ComparedTable::key
using RowImages = std::map<RowKey, std::string>;   // what is asked for, of each row that is there

enum class Side { source, target };

// What to learn of a row: one hash of all compared columns, or those of each column: "{1,2,3}" in the order of columns.
enum class ImageOf { row, columns };

// Not at all, or FOR SHARE: its writers wait until the transaction ends.
enum class RowLock { none, share };

struct KeyQuestion {
  Sql statement;
  Params params;
};

// A session for these questions: pinned as those that scan, but it takes the way by the index whatever statistics say.
Connection open_key_session(const Server& server, bool is_read_only, Deadline deadline);

// table.key must not be empty. A few thousand keys at most: they travel in one message.
KeyQuestion question_by_key(const ComparedTable& table, Side side, const HashAgreement& hashes,
                            std::span<const RowKey> keys, ImageOf what = ImageOf::row, RowLock lock = RowLock::none);
RowImages images_of(const Result& answer, const ComparedTable& table);

// Asks in portions. Throws as Connection::query does.
RowImages read_rows(Connection& on, const ComparedTable& table, Side side, const HashAgreement& hashes,
                    std::span<const RowKey> keys, Deadline deadline, ImageOf what = ImageOf::row,
                    RowLock lock = RowLock::none);

// The text of some compared columns (by their place in ComparedTable::columns) of one row; empty if it is not there.
std::vector<std::optional<std::string>> read_values(Connection& on, const ComparedTable& table, Side side,
                                                    const RowKey& key, const std::vector<std::size_t>& columns,
                                                    Deadline deadline);

}  // namespace verdigris
