#include "controller/database_journal.hpp"

#include <unistd.h>

#include <algorithm>
#include <array>
#include <chrono>
#include <ctime>
#include <random>

#include "controller/phases.hpp"
#include "replication/control_schema.hpp"
#include "replication/side.hpp"
#include "replication/test_switches.hpp"

namespace verdigris {
namespace {

std::string wall_clock() {
  const auto now = std::chrono::system_clock::now();
  const std::time_t seconds = std::chrono::system_clock::to_time_t(now);
  const auto millis = std::chrono::duration_cast<std::chrono::milliseconds>(now.time_since_epoch()).count() % 1000;
  std::tm utc{};
  gmtime_r(&seconds, &utc);
  std::array<char, 40> text{};
  const auto length = std::strftime(text.data(), text.size(), "%Y-%m-%dT%H:%M:%S", &utc);
  std::snprintf(text.data() + length, text.size() - length, ".%03dZ", static_cast<int>(millis));
  return text.data();
}

// Host and process, and a number of its own: containers share both.
std::string this_controller() {
  std::array<char, 256> host{};
  gethostname(host.data(), host.size() - 1);
  std::array<char, 16> number{};
  std::snprintf(number.data(), number.size(), "%06x", std::random_device{}() & 0xffffffU);
  return std::string(host.data()) + "/" + std::to_string(getpid()) + "/" + number.data();
}

std::vector<Entry> with_last(std::vector<Entry> entries, Entry last) {
  entries.push_back(std::move(last));
  return entries;
}

int last_epoch(const std::vector<Record>& records) { return records.empty() ? 1 : records.back().epoch; }

// Leaves the records of the newest epoch and returns the earlier ones. Blue's count, which is where an epoch begins: green
// may hold more of them, which nobody knew when it was left behind.
std::map<std::string, std::vector<Record>> take_earlier(std::map<std::string, std::vector<Record>>& found, int epoch) {
  std::map<std::string, std::vector<Record>> earlier;
  for (auto& [color, records] : found) {
    const auto begin = std::ranges::find_if(records, [&](const Record& r) { return r.epoch == epoch; });
    earlier[color].assign(records.begin(), begin);
    records.erase(records.begin(), begin);
  }
  return earlier;
}

// Of one that was left behind in the midst of a plan: what it lacks of the epoch before is still to be written there.
bool is_strict_prefix(const std::vector<Record>& some, const std::vector<Record>& all) {
  return some.size() < all.size() && std::ranges::equal(some, std::vector(all.begin(), all.begin() + static_cast<std::ptrdiff_t>(some.size())), is_same);
}

// The name of a point at which a test may kill the controller: what is being written.
std::string point_of(const Record& record) {
  const auto step = record.detail.find("step");
  return step == record.detail.end() ? record.event : record.event + ":" + step->get<std::string>();
}

}  // namespace

Sql recording_of_entries() {
  return Sql(R"(
      INSERT INTO verdigris.journal (deployment, epoch, seq, at, controller, event, detail)
      SELECT $1, epoch, seq, at, controller, event, detail FROM jsonb_to_recordset($2::jsonb)
        AS t(epoch int, seq int, at text, controller text, event text, detail jsonb)
      WHERE set_config('synchronous_commit', $3, true) IS NOT NULL)");
}

DatabaseJournal::DatabaseJournal(Server& blue, Server& green, std::string deployment)
    : blue_(blue), green_(green), deployment_(std::move(deployment)), controller_(this_controller()) {}

std::vector<Record> DatabaseJournal::read_side(Server& server, Deadline deadline) {
  std::vector<Record> out;
  if (!has_control_schema(server.control(), deadline)) return out;
  const auto result = server.control().query(Sql(R"(
    SELECT epoch, seq, at, controller, event, detail FROM verdigris.journal
    WHERE deployment = $1 ORDER BY epoch, seq)"),
                                             {deployment_}, deadline);
  for (const auto& row : result.rows(6))
    out.push_back({static_cast<int>(row.integer(0)), static_cast<int>(row.integer(1)), row.text(2), row.text(3),
                   row.text(4), Json::parse(row.text(5))});
  return out;
}

void DatabaseJournal::load(Deadline deadline) {
  count_.clear();
  std::map<std::string, std::vector<Record>> found;
  for (auto* server : {&blue_, &green_}) {
    if (!server->is_connected()) continue;
    found[server->color()] = read_side(*server, deadline);
    count_[server->color()] = found[server->color()].size();
  }
  const int epoch = std::max(last_epoch(found["blue"]), last_epoch(found["green"]));
  auto earlier = take_earlier(found, epoch);
  const auto before = earlier["blue"].empty() ? earlier["green"] : earlier["blue"];
  const auto& blue = found["blue"];
  const auto& green = found["green"];
  const auto [at_blue, at_green] = std::ranges::mismatch(blue, green, is_same);
  if (at_blue != blue.end() && at_green != green.end())
    throw NeedsHuman("journal.contradiction",
                     "the journals of blue and green differ at record " + std::to_string(at_blue->seq) +
                         ": one of the servers is not the one it was",
                     "Compare verdigris.journal on both servers before anything is opened.");
  outdated_.reset();
  for (auto& [color, count] : count_) {
    if (epoch > 1 && count > 0 && found[color].empty()) outdated_ = color;
    if (count > 0 && !is_strict_prefix(earlier[color], before)) count = before.size() + found[color].size();
  }
  records_ = before;
  // Of a switch: with the mutant the source alone is read.
  const auto& longer = blue.size() >= green.size() || is_mutant("target_records_unread") ? blue : green;
  records_.insert(records_.end(), longer.begin(), longer.end());
  const auto standing = standing_of(records_);
  leader_ = standing.serves;
  if (standing.open) {
    leader_ = standing.open->source;
    if (standing.open->is_committed && !is_emergency(standing)) leader_ = other_side(leader_);
  }
}

void DatabaseJournal::load_again(Deadline deadline) {
  const auto known = records_;
  load(deadline);
  // Shorter is possible: a crash takes what was not flushed yet.
  const auto [at_known, at_found] = std::ranges::mismatch(known, records_, is_same);
  const bool is_foreign = at_known != known.end() && at_found != records_.end();
  const auto foreign = is_foreign ? at_found
                                  : std::find_if(at_found, records_.end(), [&](const Record& r) { return r.controller != controller_; });
  if (foreign != records_.end())
    throw Error("journal.taken-over",
                "another controller, " + foreign->controller + ", went on with this plan meanwhile (record " +
                    std::to_string(foreign->seq) + " \"" + foreign->event + "\")",
                "Nothing more was done here; run: verdigris status", Failure::busy);
}

std::optional<std::size_t> DatabaseJournal::count_on(const std::string& color) const {
  const auto found = count_.find(color);
  return found == count_.end() ? std::nullopt : std::optional(found->second);
}

std::vector<Record> DatabaseJournal::numbered(std::vector<Entry> entries) const {
  int epoch = records_.empty() ? 1 : records_.back().epoch;
  int seq = records_.empty() ? 0 : records_.back().seq;
  std::vector<Record> out;
  for (const auto& entry : entries)
    out.push_back({epoch, ++seq, wall_clock(), controller_, entry.event,
                   entry.detail.is_null() ? Json::object() : entry.detail});
  return out;
}

std::string DatabaseJournal::rows_of(const std::vector<Record>& records) {
  Json rows = Json::array();
  for (const auto& r : records)
    rows.push_back({{"epoch", r.epoch}, {"seq", r.seq}, {"at", r.at}, {"controller", r.controller}, {"event", r.event},
                    {"detail", r.detail}});
  // What somebody's program said may be no UTF-8; a record must be written all the same.
  return rows.dump(-1, ' ', false, Json::error_handler_t::replace);
}

template <class Act>
void DatabaseJournal::insert_unless_taken(Connection& on, const std::vector<Record>& records, Act act) {
  try {
    act(recording_of_entries(), rows_of(records));
  } catch (const ServerError& error) {
    // Final: the next number is never tried instead, it would be a second decision (faults P31).
    if (error.sqlstate() != "23505") throw;
    if (is_mutant("next_number_tried")) {
      auto next = records;
      for (auto& record : next) ++record.seq;
      return insert_unless_taken(on, next, act);
    }
    throw Error("journal.taken",
                on.server() + ": another controller wrote record " + std::to_string(records.front().seq) + " first",
                "Run: verdigris status", Failure::busy);
  }
}

void DatabaseJournal::insert(Transaction& transaction, const std::vector<Record>& records) {
  insert_unless_taken(transaction.connection(), records, [&](const Sql& sql, const std::string& rows) {
    transaction.query(sql, {deployment_, rows, "on"});
  });
}

void DatabaseJournal::insert_alone(Connection& on, const std::vector<Record>& records, Flush flush, Deadline deadline) {
  const std::string is_synchronous = flush == Flush::at_once ? "on" : "off";
  insert_unless_taken(on, records, [&](const Sql& sql, const std::string& rows) {
    on.commit_prepared(sql, {deployment_, rows, is_synchronous}, deadline);
  });
}

void DatabaseJournal::write_on_leader(const std::vector<Record>& records, Flush flush, Deadline deadline) {
  complete(leader_, flush, deadline);  // a crash may have taken what was not yet flushed
  const std::string point = point_of(records.back());
  crash_point("before:" + point);
  if (is_mutant("decided_on_another_session")) side(leader_).connect(deadline);
  insert_alone(side(leader_).control(), records, flush, deadline);
  records_.insert(records_.end(), records.begin(), records.end());
  count_[leader_] = records_.size();
  crash_point("after:" + point);
}

// Brings a side from the prefix that it holds to all that is known.
void DatabaseJournal::complete(const std::string& color, Flush flush, Deadline deadline) {
  if (side(color).is_given_up()) return;
  auto& count = count_[color];
  if (count >= records_.size()) return;
  insert_alone(side(color).control(), {records_.begin() + static_cast<std::ptrdiff_t>(count), records_.end()}, flush,
               deadline);
  count = records_.size();
}

void DatabaseJournal::open_plan(const Entry& plan, const std::string& source, Deadline deadline) {
  leader_ = source;
  complete(other_side(leader_), Flush::at_once, deadline);
  write_on_leader(numbered({plan}), Flush::at_once, deadline);
  complete(other_side(leader_), Flush::at_once, deadline);
}

void DatabaseJournal::open_emergency(const Entry& plan, Deadline deadline) {
  leader_ = "blue";
  complete(leader_, Flush::at_once, deadline);
  auto records = numbered({plan});
  for (auto& record : records) ++record.epoch;
  write_on_leader(records, Flush::at_once, deadline);
}

void DatabaseJournal::decide_emergency(const std::vector<Entry>& before, const Json& detail, Deadline deadline) {
  leader_ = "blue";
  if (standing_of(records_).open->is_committed) return;
  complete(leader_, Flush::at_once, deadline);
  const auto records = numbered(with_last(before, {"committed", detail}));
  crash_point("before:committed");
  Transaction transaction(side(leader_).control(), deadline);
  insert(transaction, records);
  together_(transaction);
  transaction.commit();
  records_.insert(records_.end(), records.begin(), records.end());
  count_[leader_] = records_.size();
  crash_point("after:committed");
}

void DatabaseJournal::write(const std::vector<Entry>& entries, Deadline deadline) {
  // What was begun and ended decides nothing: it is on disk with the next record that does.
  write_on_leader(numbered(entries), Flush::later, deadline);
}

std::string DatabaseJournal::plan_source() const {
  const auto standing = standing_of(records_);
  if (!standing.open) throw Error("journal.no-plan", "no plan is open in the journal");
  return standing.open->source;
}

void DatabaseJournal::decide_committed(const std::vector<Entry>& before, const Json& detail, Deadline until) {
  const Deadline deadline = bounded("endless_decision", until);
  const std::string source = plan_source();
  if (is_emergency(standing_of(records_))) return decide_emergency(before, detail, deadline);
  if (!standing_of(records_).open->is_committed) {
    leader_ = is_mutant("committed_on_target_first") ? other_side(source) : source;
    write_on_leader(numbered(with_last(before, {"committed", detail})), Flush::at_once, deadline);
    if (is_mutant("committed_on_target_first")) complete(source, Flush::at_once, deadline);
  }
  // The target is opened only when the decision stands on both: opening it is a later commit there, which flushes this.
  crash_point("before:committed_on_target");
  if (!is_mutant("committed_on_source_alone")) complete(other_side(source), Flush::later, deadline);
  leader_ = other_side(source);
  crash_point("after:committed_on_target");
}

void DatabaseJournal::decide_undone(const std::vector<Entry>& before, const Json& detail,
                                    const std::function<void(Transaction&)>& together, Deadline deadline) {
  leader_ = plan_source();
  complete(leader_, Flush::at_once, deadline);
  const auto records = numbered(with_last(before, {"undone", detail}));
  crash_point("before:undone");
  if (is_mutant("opened_before_undone")) {
    Transaction early(side(leader_).control(), deadline);
    together(early);
    early.commit();
  }
  Transaction transaction(side(leader_).control(), deadline);
  insert(transaction, records);
  together(transaction);
  transaction.commit();
  records_.insert(records_.end(), records.begin(), records.end());
  count_[leader_] = records_.size();
  crash_point("after:undone");
}

void DatabaseJournal::close_plan(const Json& detail, Deadline deadline) {
  write_on_leader(numbered({{"finished", detail}}), Flush::at_once, deadline);
  const auto follower = other_side(leader_);
  if (!side(follower).is_connected()) return;
  try {
    complete(follower, Flush::at_once, Deadline::after(std::chrono::seconds(3)).or_earlier(deadline));
  } catch (const Error& error) {
    if (error.failure() == Failure::busy) throw;
    // a prefix is legal: it is completed before the next plan
  }
}

}  // namespace verdigris
