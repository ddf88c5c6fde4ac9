// The journal as rows of verdigris.journal on both servers, written on the sessions that hold the leases. Reads both sides
// and holds them against each other: the shorter must be a prefix of the longer, else a person is needed.
#pragma once

#include <functional>
#include <map>
#include <optional>
#include <string>

#include "controller/journal.hpp"
#include "replication/server.hpp"

namespace verdigris {

// How records are written; $1 is the deployment, $2 the records as JSON, $3 whether the commit waits for the disk.
Sql recording_of_entries();

class DatabaseJournal final : public Journal {
 public:
  DatabaseJournal(Server& blue, Server& green, std::string deployment);

  // Reads every side that is connected and has the control schema. Throws NeedsHuman "journal.contradiction".
  void load(Deadline deadline);
  // After sessions were lost in the midst of a plan: what is found may only be what is known, with at most a doubtful
  // write of ours behind it. Else another controller had the lease meanwhile, and whatever is left to do is left to it:
  // throws Error (busy) "journal.taken-over".
  void load_again(Deadline deadline);
  // A forced rollback: blue alone, with a new epoch from this record on; green gets it when the plan is closed, if it
  // answers. Whatever green alone holds of the epoch before counts no more.
  void open_emergency(const Entry& plan, Deadline deadline);
  // What commits together with `committed` of that plan: the opening of blue.
  void open_with_decision(std::function<void(Transaction&)> together) { together_ = std::move(together); }
  // The side whose journal ends in an earlier epoch: a forced rollback went over its head.
  std::optional<std::string> outdated_side() const { return outdated_; }
  // What stands on one side that is connected, whatever the other says. Changes nothing here.
  std::vector<Record> records_on(const std::string& color, Deadline deadline) { return read_side(side(color), deadline); }
  // How many of records() stand on a side; empty if it could not be read.
  std::optional<std::size_t> count_on(const std::string& color) const;

  const std::vector<Record>& records() const override { return records_; }
  void open_plan(const Entry& plan, const std::string& source, Deadline deadline) override;
  void write(const std::vector<Entry>& entries, Deadline deadline) override;
  void decide_committed(const std::vector<Entry>& before, const Json& detail, Deadline deadline) override;
  void decide_undone(const std::vector<Entry>& before, const Json& detail,
                     const std::function<void(Transaction&)>& together, Deadline deadline) override;
  void close_plan(const Json& detail, Deadline deadline) override;

 private:
  Server& side(const std::string& color) { return color == "blue" ? blue_ : green_; }
  std::vector<Record> read_side(Server& server, Deadline deadline);
  std::vector<Record> numbered(std::vector<Entry> entries) const;
  void decide_emergency(const std::vector<Entry>& before, const Json& detail, Deadline deadline);
  static std::string rows_of(const std::vector<Record>& records);
  template <class Act>
  void insert_unless_taken(Connection& on, const std::vector<Record>& records, Act act);
  void insert(Transaction& transaction, const std::vector<Record>& records);
  void insert_alone(Connection& on, const std::vector<Record>& records, Flush flush, Deadline deadline);
  void write_on_leader(const std::vector<Record>& records, Flush flush, Deadline deadline);
  void complete(const std::string& color, Flush flush, Deadline deadline);
  std::string plan_source() const;

  Server& blue_;
  Server& green_;
  std::string deployment_;
  std::string controller_;
  std::string leader_ = "blue";
  std::vector<Record> records_;
  std::map<std::string, std::size_t> count_;
  std::optional<std::string> outdated_;
  std::function<void(Transaction&)> together_;
};

}  // namespace verdigris
