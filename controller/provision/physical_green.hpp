// A green of blue's major that is made of a base backup of blue and of blue's log up to the very position at which the
// stream's slot begins: what is committed before it is there, what is committed behind it comes by the stream. Then all
// that is blue's alone is taken off it. Only under blue's lease. One thread.
#pragma once

#include "controller/provision/provisioned_green.hpp"
#include "replication/server.hpp"
#include "replication/stream.hpp"

namespace verdigris {

class PhysicalGreen final : public ProvisionedGreen {
 public:
  PhysicalGreen(const Playbook& playbook, const ToolRunner& run, ProgressCallback say);

  // Afterwards it runs, recovered, promoted and blue's no more. Blue gets identities, publication and slot of the stream
  // beforehand, as prepare would make them. A backup that was not complete is thrown away; behind it a killed run is gone
  // on with. Throws Refused and Error "provision.*".
  void ensure_there(Server& blue, Deadline deadline);
  // The slot that keeps blue's log for the backup. Idempotent.
  static void drop_base_slot(Server& blue, Deadline deadline);

 private:
  void make(Server& blue, Deadline deadline);
  void copy_files(Server& blue, const SourceFacts& facts);
  void give_up_slots(Server& blue) const;
  void require_copyable(Server& blue, Deadline deadline) const;
  void publish(Server& blue, Deadline deadline) const;
  Lsn begin_stream(Server& blue, Deadline deadline) const;
  void write_recovery(const std::filesystem::path& made, const SourceFacts& facts, Lsn start) const;
  Connection wait_promoted(Server& blue, Lsn end) const;
  void say_how_far(Server& blue, Lsn end) const;
  std::optional<Connection> promoted() const;
  Connection session(const std::string& dbname, Deadline deadline) const;
  void require_exact_end(Connection& green, Lsn start, Deadline deadline) const;
  void make_own(Connection& green, Server& blue, Lsn start, Deadline deadline) const;
  void close_to_writers(Connection& green, Deadline deadline) const;
  void remove_keys_of_blue(const std::filesystem::path& made) const;
  void roll_back_prepared(Connection& green, Deadline deadline) const;

  const Playbook& playbook_;
};

}  // namespace verdigris
