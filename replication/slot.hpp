// The logical replication slot of a stream, on the server it leads away from. Made after the publication, before the
// data is read. A slot of that name with another plugin, of another database, or read by somebody else is not ours and
// is never touched: Refused "slot.foreign". Calls are made by one thread on its own session, outside of a transaction.
#pragma once

#include <string>
#include <vector>

#include "replication/connection.hpp"
#include "replication/stream.hpp"

namespace verdigris {

struct SlotState {
  bool exists = false;
  bool is_active = false;
  int active_pid = 0;  // 0 if nobody reads it
  Lsn restart = {};
  Lsn confirmed_flush = {};
  std::string wal_status = {};  // reserved, extended, unreserved, lost

  bool is_usable() const { return exists && wal_status != "lost"; }
};

SlotState slot_state(Connection& on, const Stream& stream, Deadline deadline);
// Of each stream, in its order, by one question; its halves, to ask another server meanwhile.
std::vector<SlotState> slot_states(Connection& on, const Streams& streams, Deadline deadline);
void send_slot_states(Connection& on, const Streams& streams, Deadline deadline);
std::vector<SlotState> receive_slot_states(Connection& on, const Streams& streams, Deadline deadline);
// What of the log the one that is furthest behind has not confirmed.
Bytes unread_by(Connection& on, const Streams& streams, Deadline deadline);

// Throws Refused "slot.foreign" if the name is taken by a slot that is not ours; nothing if there is none. Our reader
// is known by its application_name, which is the stream's.
void require_own_slot(Connection& on, const Stream& stream, Deadline deadline);

// Creates it unless it exists. Creation waits for every transaction that holds an id; it does so in turns of three
// seconds and throws Error("slot.blockers") with their pids at the deadline. Throws Refused "slot.lost" for an
// invalidated one.
void ensure_slot(Connection& on, const Stream& stream, Deadline deadline);

// Makes a slot that begins where `first` does, which nobody has read from yet: restart and confirmed position are copied.
// Not on the session that exported the snapshot. Whether it is a failover slot is not copied.
void copy_slot(Connection& on, const Stream& first, const Stream& other, Deadline deadline);

// Idempotent. Waits until nobody reads it; throws Error("slot.active") naming the reader at the deadline. A reader that
// nobody can tell to leave any more is ended.
enum class SlotReader { leaves_by_itself, is_ended };
void drop_slot(Connection& on, const Stream& stream, Deadline deadline, SlotReader reader = SlotReader::leaves_by_itself);
// One that cannot be dropped keeps none of the others; its error comes last.
void drop_slots(Connection& on, const Streams& streams, Deadline deadline,
                SlotReader reader = SlotReader::leaves_by_itself);

// What these send; $1 is the slot's name.
Sql create_slot_statement();
Sql copy_slot_statement();  // $2 is the other's
Sql drop_slot_statement();
Sql end_reader_statement();
Sql advance_slot_statement();  // $2 is the position

// Changes before `to` will not be sent. Does nothing if the slot is past it already.
void advance_slot(Connection& on, const Stream& stream, Lsn to, Deadline deadline);

// "pid 4711 (app@10.0.0.7, psql), open for 12 s; ...": who holds a transaction id, prepared transactions too. Empty:
// nobody.
std::string transactions_with_id(Connection& on, Deadline deadline);

}  // namespace verdigris
