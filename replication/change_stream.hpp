// Which rows of published tables change on a server, read from its WAL by pgoutput: their keys, not their values. The slot
// is temporary and copied from one that is there: its decoding begins at that one's confirmed position, waits for no open
// transaction (tried on 13, 15 and 18, beside one), and it is gone with the session. Owned by one thread at a time.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "replication/connection.hpp"
#include "replication/lsn.hpp"
#include "replication/server.hpp"
#include "replication/stream.hpp"

namespace verdigris {

struct ChangedRelation {
  QualifiedName name;
  std::vector<std::string> columns;
};

class ChangeSink {
 public:
  virtual ~ChangeSink() = default;
  // values: of the relation's columns, in their order; nothing where it is NULL or was not sent (a large value that stayed
  // as it was, and all but the key of a row that is gone).
  virtual void row_changed(const ChangedRelation& relation, const std::vector<std::optional<std::string>>& values, Lsn commit) = 0;
  virtual void truncated(const ChangedRelation& relation, Lsn commit) = 0;
};

class ChangeStream {
 public:
  // like: publications and slots of the direction that leaves this server; the first one's slot is copied. Throws
  // ServerError if the server has no slot or sender left (max_replication_slots, max_wal_senders).
  ChangeStream(const Server& server, const Streams& like, ChangeSink& sink, Deadline deadline);

  // Everything that was committed before this has been handed to the sink.
  Lsn received() const { return received_; }
  // Hands over what has come, and waits for more until then. Throws ConnectionLost when the stream has ended.
  void pump(Deadline until);
  // Asks until received() has come so far; false if time ended first. The WAL up to there must be flushed.
  bool read_to(Lsn position, Deadline deadline);
  // WAL before this is not needed any more.
  void confirm(Lsn position);
  int backend_pid() const { return session_.backend_pid(); }

 private:
  bool take_message();  // false: none is there
  void handle(std::string_view message);
  void handle_change(std::string_view message);
  void read_relation(std::string_view rest);
  void send_status(bool asks_for_reply);

  Connection session_;
  ChangeSink& sink_;
  std::map<std::uint32_t, ChangedRelation> relations_;
  Lsn received_, confirmed_;
  Lsn commit_;  // of the transaction that is being read
};

}  // namespace verdigris
