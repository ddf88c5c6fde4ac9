// A green that verdigris makes on this machine, if the playbook says so: made, filled with the load profile, restarted
// for good, dropped. What stands is read from its directory each time. Only under blue's lease. One thread.
#pragma once

#include <optional>
#include <string>

#include "controller/playbook.hpp"
#include "controller/provision/reach.hpp"
#include "controller/provision/server_directory.hpp"
#include "controller/provision/server_programs.hpp"
#include "controller/provision/source_facts.hpp"
#include "replication/tool_runner.hpp"

namespace verdigris {

class ProvisionedGreen {
 public:
  // Throws Refused "provision.root" or "provision.user" if it cannot be run as somebody PostgreSQL accepts. say: what
  // was found and has to be redone, for people.
  ProvisionedGreen(const Playbook& playbook, const ToolRunner& run, ProgressCallback say);

  // Afterwards it runs, with its database and roles. One that ended uncleanly while it could lose something is thrown
  // away and made anew, and so is one that was dropped. `blue` is only read. Throws Refused "provision.*", Error
  // "provision.*".
  void ensure_there(Connection& blue, Deadline deadline);
  // Made and not given the settings for good yet.
  bool is_loading() const;
  // The server that answers is the one in the directory.
  bool is_same_server(Connection& green, Deadline deadline) const;
  // Ends every session on it: fast stop, everything made durable, load profile away, started. Repeatable.
  void restart_for_good(Deadline deadline);
  // What it holds survives a crash, and it has the settings for good: not loading any more.
  void settle();
  // That it is to be dropped: a run that is killed before drop() is gone on with.
  void intend_drop();
  // Stops it and leaves its directory, for the next prepare to throw away. Returns that, for people.
  std::string drop(Deadline deadline);
  // One that is loading becomes its operator's: no prepare will touch it. Returns that, for people; empty for any other.
  std::string leave();
  bool is_there() const;  // made, and neither dropped nor lost
  bool is_dropped() const;
  // Of a run that was killed before there was a green: what it had begun to make beside its directory.
  void clear_away() const { directory_.clear_workshop(); }

  const std::filesystem::path& path() const { return directory_.path(); }

 protected:
  void throw_away_if_useless(Deadline deadline);
  void require_passwords(const SourceFacts& facts) const;
  void write_logins(const std::filesystem::path& made, bool has_replication_password) const;
  void start(Deadline deadline);

  const ProvisionSettings& settings_;
  std::string deployment_, superuser_, replication_, dbname_;
  std::vector<std::string> our_roles_;
  ServerUser user_;
  ServerDirectory directory_;
  ServerPrograms programs_;
  Reach reach_;
  ProgressCallback say_;

 private:
  std::optional<std::string> why_lost(const GreenMarker& marker, Deadline deadline) const;
  void make(const SourceFacts& facts, Deadline deadline);
  std::vector<std::string> initdb_arguments(const SourceFacts& facts, int major) const;
  void write_files(const std::filesystem::path& made, const SourceFacts& facts, int major) const;
  void make_durable(Deadline deadline);
  void ensure_sockets() const;
  void ensure_roles(const SourceFacts& facts, Deadline deadline);
  void ensure_database(const SourceFacts& facts, Deadline deadline);
  void ensure_owner(Connection& blue, const SourceFacts& facts, Deadline deadline);
};

}  // namespace verdigris
