// Positions of sequences, which logical replication does not carry. Read on a source that nobody writes to any more;
// set on the target so that no value is handed out twice: forward only, by the sign of the increment.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <vector>

#include "replication/connection.hpp"
#include "replication/server.hpp"

namespace verdigris {

struct SequencePosition {
  QualifiedName name;
  std::int64_t last_value;
  bool is_called;          // false: last_value itself has not been handed out
  std::int64_t increment;
  bool cycles;
  bool operator==(const SequencePosition&) const = default;
};

// All user sequences (owned, free, identity), ordered by name.
std::vector<SequencePosition> sequence_positions(Connection& on, Deadline deadline);

// Reads them again and again in one round trip: the statement is prepared on the session, anew after that was replaced and
// when sequences came or went.
class SequenceReader {
 public:
  explicit SequenceReader(Server& server);  // on its control session; `server` must outlive it
  explicit SequenceReader(std::function<Connection&()> session);
  void prepare(Deadline deadline);
  std::vector<SequencePosition> read(Deadline deadline) {
    send(deadline);
    return receive(deadline);
  }
  // The halves of read(), for two servers at once.
  void send(Deadline deadline);
  std::vector<SequencePosition> receive(Deadline deadline);
  Connection& session() { return session_(); }

  // For a server where nothing but TRUNCATE ... RESTART IDENTITY and ALTER SEQUENCE, applied or not, can set a sequence
  // back: whether any did is one look at the catalog, and known positions need not be read again. In this order:
  // note_storage(), read(), assume() what was set since; then send_storage(), receive_unless_replaced().
  void note_storage(Deadline deadline);
  void assume(const std::vector<SequencePosition>& set);
  void send_storage(Deadline deadline);
  std::vector<SequencePosition> receive_unless_replaced(Deadline deadline);

 private:
  std::optional<std::int64_t> fill(const Result& result, Deadline deadline);
  std::function<Connection&()> session_;
  Identifier statement_;                          // its own: an earlier reader's may still be on the session
  std::vector<SequencePosition> known_;           // names and definitions; positions as last read
  std::map<std::int64_t, std::size_t> places_;    // in known_, by oid
  std::int64_t catalog_sum_ = 0;                  // of the sequences' oids: tells whether known_ is all there is
  std::optional<std::int64_t> storage_;
  int backend_pid_ = 0;                           // of the session that the statement is prepared on
};

// Both sides at the same time.
struct SequencePair {
  SequenceReader source, target;
  SequencePair(Server& of_source, Server& of_target) : source(of_source), target(of_target) {}
  void prepare(Deadline deadline);
  // As outgrown(); `all` gets the number of the source's sequences.
  std::vector<SequencePosition> outgrown_ones(Deadline deadline, std::size_t* all = nullptr);
};

// Those of `source` whose next value the target could hand out a second time, or that the target lacks. A cycling
// sequence has no order: it counts unless equal.
std::vector<SequencePosition> outgrown(const std::vector<SequencePosition>& source,
                                       const std::vector<SequencePosition>& target);

// One statement for all, flushed with the next synchronous commit there. Throws ServerError if one does not exist.
void set_sequences(Connection& on, const std::vector<SequencePosition>& positions, Deadline deadline);

// What it sends, for 500 sequences at a time; a call for each.
Sql setval_call(const Sql& name, const Sql& last_value, const Sql& is_called);
Sql setting_statement(const std::vector<Sql>& calls);

// For an INSERT: {"public.orders_id_seq": 41, ...} of those that handed out anything, as one expression.
Sql sequences_as_json();

// On the side that takes over from one that may have handed out more than is known here: each sequence goes `margin`
// values (at most a tenth of what is left of it) past its own position and the one in `seen` (form of
// sequences_as_json; where it lacks one, verdigris.sequence_seen of `side`). Forward only; returns how many were set.
int raise_sequences(Connection& on, const std::string& side, const std::string& seen, std::int64_t margin, Deadline deadline);

}  // namespace verdigris
