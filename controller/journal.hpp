// The append-only record of what was begun, done and decided; the only state there is. One record decides: `committed`
// or `undone`, which compete for one key in the source's journal. Rows are equal on both sides; the leader (the side that
// serves: the source until `committed` stands on both, then the target) is written first, the follower is a prefix.
#pragma once

#include <functional>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "replication/connection.hpp"

namespace verdigris {

using Json = nlohmann::ordered_json;

struct Entry {
  std::string event;  // plan, begin, end, committed, undone, finished
  Json detail = Json::object();
};

struct Record {
  int epoch = 0;
  int seq = 0;
  std::string at;          // wall clock of the controller, for people
  std::string controller;  // host and process
  std::string event;
  Json detail;
};

// The clock of the controller is for people and proves nothing.
inline bool is_same(const Record& a, const Record& b) {
  return a.epoch == b.epoch && a.seq == b.seq && a.event == b.event && a.controller == b.controller &&
         nlohmann::json(a.detail) == nlohmann::json(b.detail);  // whatever the order of its keys
}

class Journal {
 public:
  virtual ~Journal() = default;

  // All records known, oldest first; written ones included.
  virtual const std::vector<Record>& records() const = 0;
  // First record of a plan: stands on both sides before anything is done. The source becomes the leader.
  virtual void open_plan(const Entry& plan, const std::string& source, Deadline deadline) = 0;
  // On the leader, in one commit, flushed no later than the next deciding record. Throws Error (busy) "journal.taken" if another controller wrote first.
  virtual void write(const std::vector<Entry>& entries, Deadline deadline) = 0;
  // `committed`: on the source, then on the target, which leads from then on. Repeated, it completes the target.
  // before: entries that go in front of it, in the same commit. They take its number, so two decisions still compete for
  // one key: the next after what both had read.
  virtual void decide_committed(const std::vector<Entry>& before, const Json& detail, Deadline deadline) = 0;
  // `undone`: on the source, in one transaction with what `together` does there (opening it).
  virtual void decide_undone(const std::vector<Entry>& before, const Json& detail, const std::function<void(Transaction&)>& together,
                             Deadline deadline) = 0;
  // Last record of a plan; then the follower is completed as far as it can be reached.
  virtual void close_plan(const Json& detail, Deadline deadline) = 0;
};

}  // namespace verdigris
