// The columns that a stream does not carry because its receiver lacked them when the stream was laid: a migration's new
// columns on the way back. Recorded beside the publication, so that a column born later is not taken for one of them.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "replication/connection.hpp"
#include "replication/stream.hpp"

namespace verdigris {

// On the sender, in place of what was recorded before. Each as "public.orders.note".
void record_left_out(Connection& sender, const std::string& deployment, const Stream& stream,
                     const std::vector<std::string>& columns, Deadline deadline);
Sql recording_statement();  // what it sends; $1 is the deployment, $2 the key, $3 the columns
// Nothing if none was recorded.
std::optional<std::vector<std::string>> left_out(Connection& sender, const std::string& deployment,
                                                 const Stream& stream, Deadline deadline);
void forget_left_out(Connection& sender, const std::string& deployment, const Stream& stream, Deadline deadline);

}  // namespace verdigris
