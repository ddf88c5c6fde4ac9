// The barrier row: applied on the target means that every earlier commit of the source is applied. Rows live in
// verdigris.marker, published both ways. Ids are unique over both sides and over time. With several streams each has a
// marker table, written along with the first (stream_groups.hpp): it is there when it is there by all of them.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "replication/connection.hpp"
#include "replication/stream.hpp"

namespace verdigris {

// One bit for the side, the clock, and random bits: two controllers, or the two sides, never make the same id.
std::int64_t new_marker_id(const std::string& side);

// Commits synchronously, which also flushes every earlier asynchronous commit of that server. Returns the id.
std::int64_t write_marker(Connection& on, const std::string& side, const std::string& kind, Deadline deadline);
// The same, with the positions of all sequences there: what the other side knows of them when this one is lost. Rows are
// only ever added, so no stream stumbles over one; verdigris.sequence_seen shows the newest.
std::int64_t write_marker_with_sequences(Connection& on, const std::string& side, const std::string& kind, Deadline deadline);
// What these send; $1 is the id, $2 the kind, $3 the side.
Sql marker_statement();
Sql marker_with_sequences_statement();
// The view of the newest positions of each side, by whichever stream they came.
Sql sequence_seen_statement(int groups);
// By each of these streams; one question.
bool marker_arrived(Connection& on, const Streams& streams, std::int64_t id, Deadline deadline);
// Polls each millisecond; throws DeadlinePassed naming the marker.
void wait_for_marker(Connection& on, const Streams& streams, std::int64_t id, Deadline deadline);

struct FinalMarker {
  std::int64_t id;
  Lsn position;  // read inside the marker's transaction after the INSERT: reached when the marker is applied
  bool nobody_left = false;  // no foreign session was there behind the fence
};
// The last marker of a source: takes SHARE ROW EXCLUSIVE on the table (a heartbeat in flight would commit after it),
// inserts, reads the position, looks for foreign sessions, and closes the marker's own fence, in one synchronously
// committed transaction. id: a Number as SQL.
Sql final_marker_statement(const Sql& id, const std::string& side, const std::string& deployment);
FinalMarker write_final_marker(Connection& on, const std::string& side, const std::string& deployment, Deadline deadline);

struct AppliedStream {
  Stream stream;
  unsigned subscription;  // oid, here
};
// How far all of these have applied and flushed here, the last of them; nothing before the marker's row is there by each.
// One question.
std::optional<Lsn> progress_past_marker(Connection& on, std::int64_t id, const std::vector<AppliedStream>& streams,
                                        Deadline deadline);

}  // namespace verdigris
