// One deployment at work: playbook, both servers, traffic and journal, opened for a command. Owns the sessions that hold
// the leases. One thread.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "controller/cutover_facts.hpp"
#include "controller/database_journal.hpp"
#include "controller/phases.hpp"
#include "controller/playbook.hpp"
#include "controller/traffic.hpp"
#include "replication/server.hpp"
#include "replication/side.hpp"
#include "replication/stream.hpp"
#include "replication/tool_runner.hpp"

namespace verdigris {

class Deployment {
 public:
  Deployment(Playbook playbook, ProgressCallback progress);

  // Of a green that a program of the operator makes: where it is, if blue is connected and has it noted.
  void find_green(Deadline deadline);
  void lead_to_green(const Conninfo& told);
  // Both servers must answer; throws CannotConnect, Error "provision.no-green".
  void connect(Deadline deadline, bool read_only = false);
  void connect_green(Deadline deadline, bool read_only = false);  // blue is connected
  // Whatever answers; the errors of the others, by colour.
  std::vector<std::string> connect_what_answers(Deadline deadline, bool read_only = false);
  // On each side that is connected.
  void take_leases(std::chrono::milliseconds patience, Deadline deadline);
  // Sessions that were lost are opened again, with lease and journal. A server that does not answer is left away; one
  // that is not the one it was stops everything (NeedsHuman "identity.changed"), but for the target above the line: that
  // is left away too, so that undoing never needs it.
  void reopen(Deadline deadline);
  // Compares each connected server with what the newest plan record says; NeedsHuman "identity.changed".
  void require_known_servers(Deadline deadline);
  void require_known_server(Server& server, Deadline deadline);
  bool is_known(Server& server, Deadline deadline);
  // The facts that the first record of the open plan holds, and L if it is committed.
  void recall_facts();

  // First record of a plan: who serves, and who the servers are.
  Entry plan_entry(const std::string& command, const std::string& source, Deadline deadline);

  const Playbook& playbook() const { return playbook_; }
  const std::string& name() const { return playbook_.name; }
  Server& blue() { return blue_; }
  Server& green() { return green_; }
  Server& side(const std::string& color) { return color == "blue" ? blue_ : green_; }
  Source source_of(const std::string& color) { return Source(side(color)); }
  Target target_of(const std::string& source_color) { return Target(side(other_side(source_color))); }
  Endpoint endpoint(const std::string& color);
  // All streams that lead from a side, as many as the catalogs of the servers that answer show; one if there is none.
  Streams streams_leaving(const std::string& color, Deadline deadline);
  int groups(Deadline deadline);
  // The most that groups() has found: for what is said of a side when the other's are dropped already.
  int groups_seen() const { return groups_seen_; }
  // As the other server reaches this one.
  const Conninfo& reachable_as(const std::string& color) const;
  // Roles that must connect to a side although it is closed.
  std::vector<std::string> roles_to_keep(const std::string& color) const;

  // What a crossing holds and moves: all names of the pooler, but for those of readers that are on green already. Chosen
  // when it is first asked for, by the journal as it is then.
  Traffic& traffic();
  // All names, wherever readers are: for people, and for an emergency.
  Traffic& all_traffic();
  // Only those of readers; the playbook must name some.
  Traffic& reads_traffic();
  DatabaseJournal& journal() { return journal_; }
  Standing standing() const { return standing_of(journal_.records()); }
  CutoverFacts& facts() { return facts_; }
  const ToolRunner& tools() const { return tools_; }
  const ProgressCallback& progress() const { return progress_; }

 private:
  void explain_no_green(const CannotConnect& error) const;  // throws Error "provision.no-green", or leaves it as it is
  bool answers(Server& server) const;
  void open_again(Server& server, std::chrono::milliseconds patience, Deadline deadline);
  bool is_above_line() const;
  const Json* newest_identities() const;
  Json identity_of(Server& server, Deadline deadline);
  Playbook playbook_;
  Server blue_;
  Server green_;
  std::unique_ptr<Traffic> traffic_, all_traffic_, reads_traffic_;
  DatabaseJournal journal_;
  CutoverFacts facts_;
  int groups_seen_ = 1;
  ToolRunner tools_;
  ProgressCallback progress_;
};

}  // namespace verdigris
