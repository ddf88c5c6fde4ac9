// The sessions that compare two sides, opened and (if asked) warmed before any pause: settings that fix the text of values,
// catalogs read, hashes probed, statements built, relations and functions loaded in each session. Owned by one thread.
#pragma once

#include <string>
#include <vector>

#include "healthcheck/parity/agreement.hpp"
#include "healthcheck/parity/row_hash.hpp"
#include "replication/connection.hpp"
#include "replication/server.hpp"

namespace verdigris {

// A session in which equal values have equal text on every major: what Connection pins for all sessions, and what the text
// depends on besides. settings: further ones.
Connection open_parity_session(const Server& server, const std::string& role, bool is_read_only,
                               const std::vector<std::pair<std::string, std::string>>& settings, Deadline deadline);

struct SideSessions {
  std::string color;
  std::vector<Connection> workers;
  std::string fingerprint;  // of the catalog that the agreement was made from
};

// For a scan that clients wait for, each session has loaded what it needs before; elsewhere that takes longer than it gives.
enum class Warmth { warm, cold };

class ParitySessions {
 public:
  // Throws CannotConnect, ServerError (for example on tables this role may not read), DeadlinePassed.
  ParitySessions(Server& source, Server& target, int workers, Deadline deadline, const TableSelection& filter = {},
                 Warmth warmth = Warmth::warm);

  SideSessions& source() { return source_; }
  SideSessions& target() { return target_; }
  const Agreement& agreement() const { return agreement_; }
  const HashAgreement& hashes() const { return hashes_; }
  // Throws Refused "schema.drift" if the catalog of a side is no longer the one the agreement was made from.
  void require_same_catalogs(Deadline deadline);
  void close();

 private:
  // Loads into each session what a scan needs, so that the first scan in a pause is as fast as the second.
  void warm(Deadline deadline);

  SideSessions source_;
  SideSessions target_;
  HashAgreement hashes_;
  Agreement agreement_;
};

}  // namespace verdigris
